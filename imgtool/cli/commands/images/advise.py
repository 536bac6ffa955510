"""``imgtool advise``: what an upgrade will do to files, LFS, settings and init data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import BaudOption, EventsOption, NoStubOption, ResetOption, StubOption
from imgtool.cli.input.options import images_of
from imgtool.engine.placing import size_name
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.device.session import ConnectOptions
    from imgtool.engine.spelling import Names
    from imgtool.operations.flashing.draft import FlashRequest
    from imgtool.operations.upgrade.side import OldFlash
    from imgtool.operations.upgrade.values import AdvicePoint, FirmwareAdvice

__all__ = ["advise"]


def advise(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OLD] NEW...",
            help="OLD: a dump, an image, or a folder with 0x*.bin; not with --port. NEW: as for flash.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--port",
            metavar="PORT",
            help="The board is OLD: port, socket://, rfc2217:// or sim:4MB.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--flash-size",
            metavar="SIZE",
            help="How large the flash is, where OLD does not tell.",
            show_default=False,
        ),
    ] = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Say what an upgrade will do: what stays, what is lost, whether it starts.

    Without --port the first word is OLD. With --port OLD is the board, and all words are NEW.
    Exit code 0: nothing is lost. 1: something is, or that is not known.

    Example: imgtool advise backup.bin nodemcu.bin
    """
    from imgtool.engine.upgrades import advise_request
    from imgtool.engine.verdicts import DONE, NO

    given = list(words or [])
    capacity = None if size is None else _capacity(size)
    if port is None:
        for_a_board = {"--baud": baud, "--stub": stub != "auto" or no_stub, "--reset": reset != "auto"}
        alone = next((name for name, value in for_a_board.items() if value), None)
        if alone is not None:
            raise UsageError(f"{alone} is for a board", expected=f"-p PORT with {alone}", found="no --port")
        if len(given) < 2:  # noqa: PLR2004 - OLD and NEW
            raise UsageError(
                "OLD and NEW are both needed",
                expected="imgtool advise OLD NEW, or -p PORT NEW",
                found=Name(shown(given)),
            )
        old_words, given = given[:1], given[1:]
        request = _request(given)
        result = advise_request(_old_of(old_words[0], capacity), request, _names(given, None))
        title = old_words[0]
    else:
        if size is not None:
            raise UsageError(
                "a board tells its size itself", expected="no --flash-size with --port", found=size
            )
        request = _request(given)
        from imgtool.cli.input.connection import connect_options

        options = connect_options(baud, stub, reset, no_stub=no_stub)
        title, result = _of_board(port, options, request, given, events=events, silent=json)
    if json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document
        from imgtool.engine.jobs.advise import advice_fields

        fields = advice_fields(title, given, result)
        print_document(document("advise", ok=result.ok, results=[fields], warnings=result.notes))
    else:
        _show(title, result)
    raise typer.Exit(DONE if result.ok else NO)


def shown(words: list[str]) -> str:
    """Words as they were given."""
    return shlex.join(words) or "nothing"


def _capacity(size: str) -> int:
    from imgtool.chip import flash_size

    name, _ = size_name(size)
    return flash_size(name).bytes


def _request(words: list[str]) -> FlashRequest:
    from imgtool.cli.input.placing import found_here, pieces_of
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.flashing.draft import FlashRequest

    pieces, named = pieces_of(images_of(words) if words else found_here())
    return FlashRequest(tuple(pieces), tuple(named), init_data=InitDataSource())


def _names(words: list[str], port: str | None) -> Names:
    from imgtool.engine.spelling import Names

    board = "" if port is None else f"-p {shlex.quote(port)} "
    return Names(shlex.join(words) if words else ".", port=board)


def _old_of(word: str, capacity: int | None) -> OldFlash:
    """What the word for OLD stands for: a file, or a folder whose images make up one."""
    from imgtool.cli.input.placing import pieces_of
    from imgtool.errors import FormatError, LayoutError
    from imgtool.operations.advise.old_flash import old_flash
    from imgtool.operations.assemble.joining import join, lay_out

    if not Path(word).exists() and ":" in word:
        raise UsageError(
            "OLD is no file", expected="a file, a folder, or -p PORT for a board", found=Name(word)
        )
    pieces, named = pieces_of(images_of([word]))
    if named:
        raise UsageError(
            "OLD has no named places", expected="a dump, an image, or a folder", found=Name(word)
        )
    ordered = lay_out(pieces)
    if ordered[0].address:
        raise UsageError(
            "OLD does not begin at flash address 0",
            expected="a dump, an image for 0x00000, or a folder with both halves",
            found=Phrase(Name(word), f", for 0x{ordered[0].address:05x}"),
        )
    data = join(ordered, ordered[-1].end, 0xFF)
    try:
        return old_flash(data, capacity)
    except LayoutError as error:
        if capacity is None:
            raise UsageError(error.message, expected="--flash-size SIZE", found=Name(word)) from None
        raise error.with_source(word) from None
    except FormatError as error:
        raise error.with_source(word) from None


def _of_board(
    given: list[str],
    options: ConnectOptions,
    request: FlashRequest,
    words: list[str],
    *,
    events: bool,
    silent: bool,
) -> tuple[str, FirmwareAdvice]:
    """Ask a board, and start its firmware again afterwards."""
    from imgtool.cli.input.connection import port_name
    from imgtool.cli.run.connecting import connected
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.connecting import reader_of
    from imgtool.engine.upgrades import advise_request
    from imgtool.errors import LayoutError
    from imgtool.operations.upgrade.side import OldFlash

    name = port_name(given)
    with (
        Progress([name], events=events, silent=silent) as progress,
        connected(name, options, progress) as session,
    ):
        capacity = session.flash.bytes
        if capacity is None:
            raise LayoutError(
                "the capacity of the flash is not known",
                source=name,
                expected="a flash ID that tells it",
                found=session.flash.id.hex(),
            )
        reader = reader_of(session, progress.listener(name))
        old = OldFlash(reader, capacity, capacity, "device", embedded=session.chip.embedded)
        result = advise_request(old, request, _names(words, name))
        progress.clear()
    return name, result


# For people.


def _show(old: str, result: FirmwareAdvice) -> None:
    from imgtool.cli.show.cures import show_cures, show_notes
    from imgtool.cli.show.text import Line, Span, stdout
    from imgtool.engine.jobs.advise import advice_rows

    screen = stdout()
    screen.paragraph(result.sentence, style="bold green" if result.ok else "bold red")
    screen.line()
    screen.table([(Span(name, "dim"), value) for name, value in advice_rows(old, result)])
    screen.line()
    rows: list[tuple[Line, ...]] = [
        (point.topic, Span(point.verdict, _style(point)), point.reason) for point in result.points
    ]
    if rows:
        screen.table(rows, head=("what", "verdict", "why"))
    if result.elsewhere:
        screen.line()
        screen.paragraph(result.elsewhere)
    show_cures(screen, result.cures)
    show_notes(screen, result.notes)


def _style(point: AdvicePoint) -> str:
    if not point.ok:
        return "bold red" if point.verdict != "unknown" else "yellow"
    return "green" if point.verdict in ("kept", "none") else "yellow"
