"""``imgtool verify``: whether the flash holds what ``imgtool flash`` would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from imgtool.cli.input.flash_request import DetectSizeOption, OldDetectSizeOption, request_of, target_of
from imgtool.cli.input.options import FreqOption, ImagesArgument, ModeOption
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import Session
    from imgtool.engine.jobs.verify import VerifyResult
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.flashing.plan import FlashRequest

__all__ = ["verify"]

_KEEP = "keep"
_SHOWN = 10


def verify(
    images: ImagesArgument = None,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    mode: ModeOption = _KEEP,
    freq: FreqOption = _KEEP,
    size: DetectSizeOption = "detect",
    old_size: OldDetectSizeOption = None,
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Compare the flash with images as imgtool flash would write them.

    With -fs keep: as they are. Exit code 0: it holds them. 1: it differs.

    Example: imgtool verify nodemcu.bin
    """
    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.run.connecting import connected
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs.verify import VerifyResult, judged
    from imgtool.operations.flashing.transfer import verify as compare
    from imgtool.operations.flashing.waivers import CHECKS

    options = connect_options(baud, stub, reset, no_stub=no_stub)
    request, note = request_of(
        images,
        header=(mode, freq),
        sizes=(size, old_size),
        init=("none", []),
        force=frozenset(CHECKS),
    )
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress:
        if note:
            progress.note(note)
        with connected(name, options, progress) as session:
            start = session.wire.clock.monotonic()
            pieces, changes = _pieces(request, session, progress.listener(name))
            found = compare(session, pieces, progress.listener(name))
            differences = tuple(judged(each, pieces, session) for each in found)
            seconds = session.wire.clock.monotonic() - start
            progress.clear()
            result = VerifyResult(pieces, changes, differences, seconds)
            _report(result, session, as_json=json)
    raise typer.Exit(result.code)


def _pieces(
    request: FlashRequest, session: Session, listener: Listener
) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """What should be in the flash, and how that differs from the files."""
    from imgtool.engine.connecting import reader_of
    from imgtool.operations.flashing.plan import plan_flash

    if request.size_choice == _KEEP and not request.named and not request.header.any:
        _check_room(request.pieces, session)
        return request.pieces, ()
    plan = plan_flash(request, target_of(session), reader_of(session, listener), weigh=False)
    return plan.pieces, plan.changes


def _check_room(pieces: tuple[Piece, ...], session: Session) -> None:
    from imgtool.operations.flashing.checks import check_room

    check_room(pieces, session.flash.bytes, frozenset())


def _report(result: VerifyResult, session: Session, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.jobs.verify import verify_document

        print_document(verify_document(result, session))
        return
    from imgtool.cli.show.text import Span, stdout
    from imgtool.quantities import duration

    screen = stdout()
    size = in_bytes(sum(len(piece.data) for piece in result.pieces))
    took = duration(result.seconds)
    for change in result.changes:
        screen.paragraph(change, lead=[Span("  change  ", "bold")])
    if not result.differences:
        screen.paragraph(f"the flash holds it: {size} compared in {took}", style="bold green")
        return
    count = len(result.differences)
    screen.paragraph(
        f"the flash differs in {count} sector{'s' if count > 1 else ''}: {size} compared in {took}",
        style="bold red",
    )
    for difference in result.differences[:_SHOWN]:
        screen.line()
        meaning = f"  {difference.meaning}" if difference.meaning else ""
        screen.line(Span(f"  0x{difference.address:06x}", "bold"), meaning)
        screen.line("    expected  ", difference.expected.hex(" "))
        screen.line("    found     ", difference.found.hex(" "))
    if count > _SHOWN:
        screen.line()
        screen.line(f"  and {count - _SHOWN} more")
