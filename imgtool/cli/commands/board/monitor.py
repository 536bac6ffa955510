"""``imgtool monitor``: what a chip says, line by line, with what that means in between."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import PortOption
from imgtool.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.cli.show.monitor_view import ScreenView, View
    from imgtool.device.wire import Wire
    from imgtool.engine.jobs.monitor import MonitorRequest, MonitorResult
    from imgtool.engine.watching import Selection

__all__ = ["monitor"]

_AUTO: Final = "auto"
_STAMPS: Final = ("elapsed", "clock")


def monitor(
    port: PortOption = None,
    baud: Annotated[
        str, typer.Option("-b", "--baud", metavar="BAUD", help="auto follows the chip, 74880 first.")
    ] = _AUTO,
    reset: Annotated[
        bool, typer.Option("--reset/--no-reset", help="Reset the chip at the start, to see it boot.")
    ] = True,
    notes: Annotated[
        bool, typer.Option("--notes/--no-notes", help="Say between the lines what they mean.")
    ] = True,
    elf: Annotated[
        list[Path] | None,
        typer.Option("--elf", metavar="FILE", help="Names the functions of a crash.", show_default=False),
    ] = None,
    timestamps: Annotated[
        str | None, typer.Option(metavar="FORM", help="elapsed or clock.", show_default=False)
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--filter", metavar="REGEX", help="Show matching lines alone.", show_default=False),
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Leave matching lines out.", show_default=False)
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append what comes, byte for byte.", show_default=False),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Let control characters of the chip reach the terminal.")
    ] = False,
    eol: Annotated[str, typer.Option(metavar="END", help="Sent by Enter: crlf, lf, cr, none.")] = "crlf",
    keys: Annotated[bool, typer.Option("--keys", help="Send every key at once, not lines.")] = False,
    echo: Annotated[bool, typer.Option("--echo", help="Show what is sent.")] = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="End after this time.", show_default=False)
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="End when a line matches; 1 if none does.", show_default=False),
    ] = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", help="End when stdin does.")] = False,
    reconnect: Annotated[
        bool, typer.Option("--reconnect/--no-reconnect", help="Wait for a port that is lost.")
    ] = True,
    json: JsonOption = False,
    events: Annotated[
        bool, typer.Option("--events", help="Lines and notes as one JSON object a line, on stderr.")
    ] = False,
) -> int:
    """Show what a chip says, and what that means.

    Ctrl-] ends it, Ctrl-T h shows the keys.

    Example: imgtool monitor --log boot.log
    """
    from imgtool.cli.input.connection import port_name
    from imgtool.cli.input.files import open_recording
    from imgtool.cli.input.placing import file_as_it_is
    from imgtool.cli.show.document import print_document
    from imgtool.engine.boot_logs import symbols_of
    from imgtool.engine.jobs.monitor import EOLS, MonitorRequest
    from imgtool.engine.ports import is_virtual, open_wire
    from imgtool.engine.watching import Selection, pattern_of

    if json and seconds is None and until is None and not until_eof:
        raise UsageError("a document needs an end", expected="--seconds, --until or --until-eof")
    if timestamps is not None and timestamps not in _STAMPS:
        raise UsageError("not a form of time", expected=" or ".join(_STAMPS), found=timestamps)
    if eol not in EOLS:
        raise UsageError("not an end of line", expected=", ".join(EOLS), found=eol)
    selection = Selection(*(None if text is None else pattern_of(text) for text in (only, exclude)))
    request = MonitorRequest(
        baud=_speed(baud),
        reset=reset,
        notes=notes,
        symbols=tuple(symbols_of(file_as_it_is(path)) for path in elf or ()),
        seconds=seconds,
        until=None if until is None else pattern_of(until),
        reconnect=reconnect,
        keep=json,
        selection=selection,
        log=None if log is None else str(log),
    )
    with ExitStack() as resources:
        record = resources.enter_context(open_recording(log))
        name = port_name(port)
        wire = open_wire(name)
        resources.callback(wire.close)
        look = Look(selection, timestamps or "", raw, json, events)
        hands = Hands(EOLS[eol], keys, echo, until_eof, is_virtual(name) and seconds is None)
        try:
            result = _run(wire, request, record, look, hands)
        except KeyboardInterrupt:
            error = InterruptedRunError("interrupted")
            error.add_note("Ctrl-] ends a monitor with exit code 0")
            raise error from None
    if json:
        print_document(result.document)
    return result.code


class Look(NamedTuple):
    """What is shown, and how."""

    selection: Selection
    stamp: str
    raw: bool
    as_json: bool
    events: bool


class Hands(NamedTuple):
    """How input is sent, whether the run ends with it, and whether time is held back to that of people."""

    eol: bytes
    at_once: bool
    echo: bool
    until_eof: bool
    paced: bool


def _speed(text: str) -> int | None:
    if text.lower() == _AUTO:
        return None
    if not text.isdecimal():
        raise UsageError("not a speed", expected="auto, or baud such as 74880", found=text)
    return int(text)


def _run(
    wire: Wire, request: MonitorRequest, record: Callable[[bytes], None], look: Look, hands: Hands
) -> MonitorResult:
    from imgtool.cli.input.keyboard import Keys, input_of
    from imgtool.cli.input.typing_keys import Typing
    from imgtool.cli.run.monitor_loop import MonitorLoop
    from imgtool.engine.jobs.monitor import Monitor

    watched = Monitor(wire, request, record)
    views, screen = _views(wire.name, look)
    with ExitStack() as resources:
        if screen is not None:
            resources.callback(screen.close)
        source = input_of(keys=screen is not None and sys.stdout.isatty())
        if isinstance(source, Keys):
            resources.enter_context(source)
        if screen is not None:
            keys = ("Ctrl-] ends, Ctrl-T h shows the keys",) if isinstance(source, Keys) else ()
            screen.lines((watched.opening, *keys))
        MonitorLoop(
            monitor=watched,
            views=views,
            screen=screen,
            source=source,
            typing=Typing(hands.eol, at_once=hands.at_once),
            eol=hands.eol,
            echo=hands.echo,
            until_eof=hands.until_eof,
            paced=hands.paced,
        ).run()
        result = watched.result()
        if screen is not None and not result.ok:
            screen.lines((result.words.verdict,))
    return result


def _views(name: str, look: Look) -> tuple[list[View], ScreenView | None]:
    """Who is shown what happens, and of them the screen."""
    from datetime import datetime

    from imgtool.cli.show import text
    from imgtool.cli.show.monitor_view import JsonLines, ScreenView, Stamp

    views: list[View] = []
    screen = None
    if not look.as_json:
        stamp = Stamp(look.stamp, datetime.now().astimezone())
        out = text.stdout()
        screen = ScreenView(out, stamp, look.selection, raw=look.raw, live=out.stream.isatty())
        views.append(screen)
    if look.events:
        views.append(JsonLines(text.stderr(), name, look.selection))
    return views, screen
