"""``imgtool id``: which chip and which flash; also what is known of a flash ID that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    from imgtool.engine.jobs.id import IdResult

__all__ = ["id"]


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
    from imgtool.engine.jobs.id import IdRequest, identify

    if flash_id is not None:
        result = identify(None, IdRequest(flash_id=" ".join([flash_id, *(more or [])])))
        _show(result, as_json=json)
        return
    if more:
        raise UsageError(f"Got unexpected extra argument ({more[0]})")
    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.run.connecting import opened
    from imgtool.cli.show.progress import Progress

    request = IdRequest(connect=connect_options(baud, stub, reset, no_stub=no_stub))
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress, opened(name, progress) as wire:
        result = identify(wire, request, progress.listener(name))
    _show(result, as_json=json)


def _show(result: IdResult, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.show.document import print_document

        print_document(result.document)
        return
    from imgtool.cli.show.text import stdout
    from imgtool.cli.show.words import show_rows

    show_rows(stdout(), result.words.rows)
