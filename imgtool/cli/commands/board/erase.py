"""``imgtool erase``: all of the flash, a region, or what has a name."""

from __future__ import annotations

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
from imgtool.engine.choices import ERASE_ALL, ERASE_CHOICES
from imgtool.errors import UsageError

if TYPE_CHECKING:
    from imgtool.engine.jobs.erase import EraseRange

__all__ = ["erase"]

_REGION: Final = 2
_ERASE_ALL: Final = "erase-flash"


def erase(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHAT", help=f"{ERASE_CHOICES}.", show_default=False),
    ] = None,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Erase the flash, a region of it, or what has a name.

    Example: imgtool erase init-data
    """
    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.run.connecting import opened
    from imgtool.cli.show.document import print_document
    from imgtool.cli.show.progress import Progress
    from imgtool.cli.show.text import stdout
    from imgtool.cli.show.words import show_table, show_verdict
    from imgtool.engine.jobs import erase as job

    # esptool's name for it says what is to be erased.
    wanted = _wanted(what or ([ERASE_ALL] if context.info_name == _ERASE_ALL else []))
    request = job.EraseRequest(wanted, connect_options(baud, stub, reset, no_stub=no_stub))
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress, opened(name, progress) as wire:
        result = job.erase(wire, request, progress.listener(name))
    if json:
        print_document(result.document)
        return
    screen = stdout()
    for table in result.words.tables:
        show_table(screen, table)
    show_verdict(screen, result.words)


def _wanted(words: list[str]) -> str | EraseRange:
    """What the words ask for: a name, or a range of whole sectors."""
    from imgtool.cli.input.options import number
    from imgtool.engine.jobs.erase import whole_sectors

    if not words:
        raise UsageError("nothing is named that is to be erased", expected=ERASE_CHOICES)
    if len(words) != _REGION:
        return " ".join(words)
    address, size = number(words[0], "address"), number(words[1], "size")
    return whole_sectors(address, size, (words[0], words[1]))
