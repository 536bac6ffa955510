"""The serial ports that are there, and why one cannot be opened.

Not the finding (imgtool.device.port_list), and not the choice of one (imgtool.engine.ports).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.engine.chips import port_fields
from imgtool.engine.documents import document
from imgtool.engine.hints import PLUG_IN, cure_of_port
from imgtool.engine.results import Row, Table, Tone, Toned, Words
from imgtool.engine.verdicts import DONE, NO
from imgtool.phrase import Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.device.host_ports import PortInfo
    from imgtool.engine.documents import Document
    from imgtool.engine.results import Cell, Output

__all__ = ["CURE", "PortsResult", "ports"]

CURE: Final = "cure"
"""Name of a row that says what to do about the row before it."""

_NONE_THERE: Final = "no serial port is there"
_NONE_LIKELY: Final = "none of them is a USB serial adapter that imgtool knows"
_PRODUCT_WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class PortsResult:
    """The ports.

    Attributes:
        found: Each, adapters that imgtool knows first.
    """

    found: tuple[PortInfo, ...]

    @property
    def ok(self) -> bool:
        """Whether there is one."""
        return bool(self.found)

    @property
    def code(self) -> int:
        """The exit code of ``ports``."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """A result for each port."""
        return document("ports", ok=self.ok, results=map(port_fields, self.found), warnings=self._warnings)

    @property
    def words(self) -> Words:
        """A table of all, and in rows why some cannot be opened, each with its cure."""
        if not self.found:
            return Words(f"{_NONE_THERE}.", Tone.WRONG, rows=(Row(CURE, PLUG_IN),))
        count = len(self.found)
        head = ("port", "adapter", "USB id", "driver")
        return Words(
            f"{count} serial port{'' if count == 1 else 's'}",
            rows=tuple(_failures(self.found)),
            tables=(Table(rows=tuple(map(_row, self.found)), head=head, title="ports"),),
            notes=self._warnings,
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """None: it makes no file."""
        return ()

    @property
    def _warnings(self) -> tuple[str, ...]:
        if any(port.likely for port in self.found):
            return ()
        return (_NONE_LIKELY if self.found else _NONE_THERE,)


def ports(found: Sequence[PortInfo] | None = None) -> PortsResult:
    """What there is to say about the ports of this machine, or of those that are given.

    Raises:
        PortError: The system does not list them.
    """
    from imgtool.device.port_list import list_ports  # noqa: PLC0415 - who has a list needs none

    return PortsResult(list_ports() if found is None else tuple(found))


def _row(port: PortInfo) -> tuple[Cell, ...]:
    name = Name(port.path)
    return (
        Toned(name, Tone.GOOD) if port.likely else name,
        port.adapter or _clipped(port.product) or ("unknown" if port.vid is not None else "not USB"),
        "" if port.vid is None or port.pid is None else f"{port.vid:04x}:{port.pid:04x}",
        port.driver or "",
    )


def _clipped(product: str | None) -> str:
    """What an adapter calls itself, which may be anything, and long."""
    if product is None or len(product) <= _PRODUCT_WIDTH:
        return product or ""
    return product[: _PRODUCT_WIDTH - 3] + "..."


def _failures(found: Sequence[PortInfo]) -> Iterator[Row]:
    for port in found:
        if port.failure is not None:
            yield Row(port.path, f"cannot be opened: {port.problem}")
            yield Row(CURE, cure_of_port(port.failure) or "")
