"""``imgtool verify``: whether the flash holds what ``imgtool flash`` would write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
from imgtool.cli.input.flash_options import DetectSizeOption, OldDetectSizeOption
from imgtool.cli.input.options import FreqOption, ImagesArgument, ModeOption, images_of

if TYPE_CHECKING:
    from imgtool.engine.results import Words

__all__ = ["verify"]

_SHOWN: Final = 10


def verify(
    images: ImagesArgument = None,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    mode: ModeOption = "keep",
    freq: FreqOption = "keep",
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
    from imgtool.cli.input.placing import files_and_init_data, found_here
    from imgtool.cli.run.connecting import opened
    from imgtool.cli.show.document import print_document
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs import verify as job

    given, init_data = files_and_init_data(images_of(images) if images else found_here(), "none")
    request = job.VerifyRequest(
        files=given,
        init_data=init_data,
        mode=mode,
        freq=freq,
        size=size,
        old_size=old_size,
        connect=connect_options(baud, stub, reset, no_stub=no_stub),
    )
    files = job.judged_for_verify(request)
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress:
        if files.note:
            progress.note(files.note)
        with opened(name, progress) as wire:
            result = job.verify_board(wire, request, files, progress.listener(name))
    if json:
        print_document(result.document)
    else:
        _show(result.words)
    raise typer.Exit(result.code)


def _show(words: Words) -> None:
    from imgtool.cli.show.text import Span, stdout
    from imgtool.cli.show.words import show_verdict, text_of

    screen = stdout()
    for change in words.changes:
        screen.paragraph(change, lead=[Span("  change  ", "bold")])
    show_verdict(screen, words)
    for table in words.tables[:_SHOWN]:
        where, _, meaning = table.title.partition("  ")
        screen.line()
        screen.line(Span(f"  {where}", "bold"), f"  {meaning}" if meaning else "")
        for name, found in table.rows:
            screen.line(f"    {text_of(name):<10}", text_of(found))
    if len(words.tables) > _SHOWN:
        screen.line()
        screen.line(f"  and {len(words.tables) - _SHOWN} more")
