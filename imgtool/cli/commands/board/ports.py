"""``imgtool ports``: the serial ports that are there, and why one cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.input.arguments import JsonOption
from imgtool.phrase import Name

if TYPE_CHECKING:
    from imgtool.device.host_ports import PortInfo

__all__ = ["ports"]

_NONE_THERE: Final = "no serial port is there"
_NONE_LIKELY: Final = "none of them is a USB serial adapter that imgtool knows"


def ports(json: JsonOption = False) -> int:
    """List the serial ports: adapter, USB id, driver, and why one cannot be opened.

    Example: imgtool ports
    """
    from imgtool.device.port_list import list_ports

    found = list_ports()
    if json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.chips import port_fields
        from imgtool.engine.documents import document

        warnings = [] if any(port.likely for port in found) else [_NONE_LIKELY if found else _NONE_THERE]
        print_document(document("ports", ok=bool(found), results=map(port_fields, found), warnings=warnings))
    else:
        _show(found)
    return 0 if found else 1


def _show(found: tuple[PortInfo, ...]) -> None:
    from imgtool.cli.show import text
    from imgtool.cli.show.text import Span
    from imgtool.engine.hints import PLUG_IN, cure_of_port

    screen = text.stdout()
    if not found:
        screen.paragraph(f"{_NONE_THERE}.")
        screen.paragraph(PLUG_IN, lead=[Span("  cure  ", "bold")])
        return
    rows = [
        (
            Span(Name(port.path), "bold" if port.likely else ""),
            port.adapter or _clipped(port.product) or ("unknown" if port.vid is not None else "not USB"),
            "" if port.vid is None or port.pid is None else f"{port.vid:04x}:{port.pid:04x}",
            port.driver or "",
        )
        for port in found
    ]
    screen.table(rows, head=("port", "adapter", "USB id", "driver"))
    for port in found:
        if port.failure is not None:
            screen.line()
            lead = [Span(f"{port.path}  ", "bold")]
            screen.paragraph(f"cannot be opened: {port.problem}", lead=lead)
            screen.paragraph(cure_of_port(port.failure) or "", lead=[Span("  cure  ", "bold")])
    if not any(port.likely for port in found):
        screen.line()
        screen.paragraph(_NONE_LIKELY, lead=[Span("  note  ", "dim")])


_PRODUCT_WIDTH: Final = 24


def _clipped(product: str | None) -> str:
    if product is None or len(product) <= _PRODUCT_WIDTH:
        return product or ""
    return product[: _PRODUCT_WIDTH - 3] + "..."
