"""``imgtool verify``: whether the flash holds what ``imgtool flash`` would write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.flash_request import DetectSizeOption, OldDetectSizeOption, request_of, target_of
from imgtool.cli.input.options import FreqOption, ImagesArgument, ModeOption
from imgtool.cli.run.connecting import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortOption,
    ResetOption,
    StubOption,
)
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import Session
    from imgtool.operations.assemble.merge import Piece
    from imgtool.operations.flashing.plan import FlashRequest
    from imgtool.operations.flashing.transfer import Mismatch

__all__ = ["verify"]

_DIFFERS = 1
_KEEP = "keep"
_HEADER_FIELDS = (2, 3)  # flash mode; flash size and frequency
_HEADER_END = 4
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
    from imgtool.cli.run.connecting import connect_options, connected, port_name
    from imgtool.cli.show.progress import Progress
    from imgtool.operations.flashing.checks import CHECKS
    from imgtool.operations.flashing.transfer import verify as compare

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
            differences = tuple(_judged(each, pieces, session) for each in found)
            seconds = session.wire.clock.monotonic() - start
            progress.clear()
            _report(VerifyResult(pieces, changes, differences, seconds), session, as_json=json)
    raise typer.Exit(_DIFFERS if differences else 0)


class SectorDifference(NamedTuple):
    """A sector that differs: the first byte that does, what should be there, what is, and what it means."""

    address: int
    expected: bytes
    found: bytes
    meaning: str


class VerifyResult(NamedTuple):
    """What was compared, in which way the pieces are not the files, what differs, and the time it took."""

    pieces: tuple[Piece, ...]
    changes: tuple[str, ...]
    differences: tuple[SectorDifference, ...]
    seconds: float


def _pieces(
    request: FlashRequest, session: Session, listener: Listener
) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """What should be in the flash, and how that differs from the files."""
    from imgtool.cli.run.connecting import reader_of
    from imgtool.operations.flashing.plan import plan_flash

    if request.size_choice == _KEEP and not request.named and not request.header.any:
        _check_room(request.pieces, session)
        return request.pieces, ()
    plan = plan_flash(request, target_of(session), reader_of(session, listener))
    return plan.pieces, plan.changes


def _check_room(pieces: tuple[Piece, ...], session: Session) -> None:
    from imgtool.operations.flashing.checks import check_room

    check_room(pieces, session.flash.bytes, frozenset())


def _judged(mismatch: Mismatch, pieces: tuple[Piece, ...], session: Session) -> SectorDifference:
    """A difference, and whether it is one of the image header alone."""
    return SectorDifference(
        mismatch.address, mismatch.expected, mismatch.found, _of_header(mismatch, pieces, session)
    )


def _of_header(mismatch: Mismatch, pieces: tuple[Piece, ...], session: Session) -> str:
    """Which fields of the image header differ, if nothing else in the first sector does."""
    from dataclasses import replace

    from imgtool.chip import SECTOR
    from imgtool.formats.reading import Header
    from imgtool.operations.flashing.transfer import read_flash
    from imgtool.operations.flashing.transfer import verify as compare

    if mismatch.address not in _HEADER_FIELDS:
        return ""
    first = pieces[0]
    there = read_flash(session, 0, _HEADER_END)
    as_there = replace(first, data=there + first.data[_HEADER_END:SECTOR])
    if compare(session, [as_there]):
        return ""
    wanted, found = (Header(1, 0, data[2], data[3]) for data in (first.data, there))
    names = [
        f"{name} {getattr(found, name) or '?'} instead of {getattr(wanted, name) or '?'}"
        for name in ("mode", "freq", "size")
        if getattr(wanted, name) != getattr(found, name)
    ]
    return f"only the image header: {', '.join(names)}"


def _report(result: VerifyResult, session: Session, *, as_json: bool) -> None:
    if as_json:
        typer.echo(_document(result, session))
        return
    from imgtool.cli.show.progress import duration
    from imgtool.cli.show.text import Span, stdout

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


def _document(result: VerifyResult, session: Session) -> str:
    from imgtool.cli.run.connecting import chip_fields
    from imgtool.cli.show.documents import document

    differences: list[dict[str, Any]] = [
        {
            "address": each.address,
            "expected": each.expected.hex(),
            "found": each.found.hex(),
            "header_only": bool(each.meaning),
        }
        for each in result.differences
    ]
    fields = {
        **chip_fields(session),
        "stub": session.flasher.name,
        "baud": session.baud,
        "parts": [{"name": p.name, "address": p.address, "size": len(p.data)} for p in result.pieces],
        "changes": list(result.changes),
        "differences": differences,
        "seconds": round(result.seconds, 3),
    }
    return document("verify", ok=not differences, results=[fields])
