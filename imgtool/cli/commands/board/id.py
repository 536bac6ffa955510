"""``imgtool id``: which chip and which flash; also what is known of a flash ID that is given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortOption,
    ResetOption,
    StubOption,
)
from imgtool.errors import UsageError

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
        _showknown_rows(_parsed(" ".join([flash_id, *(more or [])])), as_json=json)
        return
    if more:
        raise UsageError(f"Got unexpected extra argument ({more[0]})")
    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.run.connecting import connected
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


def _showknown_rows(flash: FlashChip, *, as_json: bool) -> None:
    from imgtool.engine.chips import known_fields, known_rows

    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document

        print_document(document("id", ok=True, results=[{"flash": known_fields(flash)}]))
        return
    from imgtool.cli.show.text import Span, stdout

    screen = stdout()
    screen.table([(Span(name, "dim"), value) for name, value in known_rows(flash)])
    cite = known_fields(flash)["cite"]
    if cite:
        # Not wrapped: an address is there to be copied.
        screen.line("  ", Span("known from    ", "dim"), cite)


def _show(session: Session, *, as_json: bool) -> None:
    from imgtool.engine.chips import chip_fields, known_fields, known_rows

    chip = session.chip
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document

        fields = {
            **chip_fields(session),
            "flash": known_fields(session.flash),
            "reset": session.reset_used,
        }
        print_document(document("id", ok=True, results=[fields]))
        return
    from imgtool.cli.show.text import Span, stdout

    heat = ", to 105 degrees" if chip.high_temperature else ""
    rows = [
        ("chip", f"{chip.model}{heat}"),
        ("chip ID", f"{chip.chip_id} (0x{chip.chip_id:08x})"),
        ("MAC", chip.mac),
        ("crystal", f"{chip.crystal_mhz} MHz"),
        *known_rows(session.flash),
    ]
    stdout().table([(Span(name, "dim"), value) for name, value in rows])
