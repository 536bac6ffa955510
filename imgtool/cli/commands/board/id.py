"""``imgtool id``: which chip and which flash; also what is known of a flash ID that is given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from imgtool.cli.input.arguments import JsonOption, UsageError
from imgtool.cli.run.connecting import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortOption,
    ResetOption,
    StubOption,
)
from imgtool.quantities import capacity

if TYPE_CHECKING:
    from imgtool.device.flash_chip import FlashChip
    from imgtool.device.session import Session

__all__ = ["id"]

_HEX_ID: Final = re.compile(r"[0-9a-f]{6}\Z")


def id(  # noqa: A001 - the name of the command
    more: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="")] = None,
    flash_id: Annotated[
        str | None,
        typer.Option(
            "--flash-id",
            metavar="ID",
            help="Say what is known of a flash ID such as e04016; needs no chip.",
            show_default=False,
        ),
    ] = None,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Say which chip and which flash is there: MAC, crystal, flash part, capacity.

    Example: imgtool id --port /dev/ttyUSB0
    """
    if flash_id is not None:
        _show_known(_parsed(" ".join([flash_id, *(more or [])])), as_json=json)
        return
    if more:
        raise UsageError(f"Got unexpected extra argument ({more[0]})")
    from imgtool.cli.run.connecting import connect_options, connected, port_name
    from imgtool.cli.show.progress import Progress

    options = connect_options(baud, stub, reset, no_stub=no_stub)
    name = port_name(port)
    with (
        Progress([name], events=events, silent=json) as progress,
        connected(name, options, progress) as session,
    ):
        progress.clear()
        _show(session, as_json=json)


def _parsed(text: str) -> FlashChip:
    from imgtool.device.flash_chip import FlashChip

    digits = re.sub(r"[\s:,]|0x", "", text.lower())
    if _HEX_ID.match(digits) is None:
        raise UsageError("not a flash ID", expected="six hex digits, such as e04016 or e0 4016", found=text)
    return FlashChip(bytes.fromhex(digits))


def _capacity(flash: FlashChip) -> str:

    if flash.bytes is None:
        return "not known: neither the ID nor SFDP tells"
    by_id = type(flash)(flash.id).bytes
    how = "its ID" if flash.sfdp_bytes is None else "SFDP"
    if flash.sfdp_bytes is not None and flash.sfdp_bytes == by_id:
        how = "its ID and SFDP"
    code = flash.id[2]
    power = f", 2^{code} bytes" if flash.sfdp_bytes is None and flash.bytes == 1 << code else ""
    return f"{capacity(flash.bytes)} ({flash.bytes:,} bytes), by {how}{power}"


def _known(flash: FlashChip) -> list[tuple[str, str]]:
    """What is known of a flash, a row for each thing."""
    from imgtool.flash_parts import FLASH_PARTS

    code = f"0x{flash.id[0]:02x}"
    part = next((part for part in FLASH_PARTS if part.id == flash.id), None)
    rows = [
        ("flash ID", f"{flash.id[:1].hex()} {flash.id[1:].hex()}"),
        ("manufacturer", f"{flash.manufacturer or 'not known'}, code {code}"),
        ("part", "not in imgtool's table" if part is None else part.name),
        ("capacity", _capacity(flash)),
    ]
    by_id = type(flash)(flash.id).bytes
    if flash.sfdp_bytes is not None and by_id is not None and by_id != flash.sfdp_bytes:
        rows.append(("contradiction", f"the ID says {by_id:,} bytes; SFDP counts"))
    return rows


def _fields(flash: FlashChip) -> dict[str, Any]:
    from imgtool.cli.run.connecting import flash_fields
    from imgtool.flash_parts import FLASH_PARTS

    cite = next((part.cite for part in FLASH_PARTS if part.id == flash.id), None)
    return {**flash_fields(flash), "cite": cite}


def _show_known(flash: FlashChip, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.show.documents import document

        typer.echo(document("id", ok=True, results=[{"flash": _fields(flash)}]))
        return
    from imgtool.cli.show.text import Span, stdout

    screen = stdout()
    screen.table([(Span(name, "dim"), value) for name, value in _known(flash)])
    cite = _fields(flash)["cite"]
    if cite:
        # Not wrapped: an address is there to be copied.
        screen.line("  ", Span("known from    ", "dim"), cite)


def _show(session: Session, *, as_json: bool) -> None:
    from imgtool.cli.run.connecting import chip_fields

    chip = session.chip
    if as_json:
        from imgtool.cli.show.documents import document

        fields = {**chip_fields(session), "flash": _fields(session.flash), "reset": session.reset_used}
        typer.echo(document("id", ok=True, results=[fields]))
        return
    from imgtool.cli.show.text import Span, stdout

    heat = ", to 105 degrees" if chip.high_temperature else ""
    rows = [
        ("chip", f"{chip.model}{heat}"),
        ("chip ID", f"{chip.chip_id} (0x{chip.chip_id:08x})"),
        ("MAC", chip.mac),
        ("crystal", f"{chip.crystal_mhz} MHz"),
        *_known(session.flash),
    ]
    stdout().table([(Span(name, "dim"), value) for name, value in rows])
