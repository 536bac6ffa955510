"""``imgtool monitor``: what a chip says, line by line, with what that means in between."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import PortOption
from imgtool.errors import InterruptedRunError, UsageError
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.run.monitor_loop import Ended, MonitorPlan, MonitorRun
    from imgtool.cli.show.monitor_view import ScreenView
    from imgtool.device.wire import Wire
    from imgtool.engine.jobs.monitor import MonitorRecord, Selection, View
    from imgtool.formats.elf.symbols import ElfSymbols

__all__ = ["monitor"]

_AUTO: Final = "auto"
_EOLS: Final = {"crlf": b"\r\n", "lf": b"\n", "cr": b"\r", "none": b""}
_STAMPS: Final = ("elapsed", "clock")
_NO: Final = 1


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
    from imgtool.cli.run.monitor_loop import MonitorPlan
    from imgtool.engine.jobs.monitor import Selection

    if seconds is not None and seconds <= 0:
        raise UsageError("not a time", expected="seconds, more than 0", found=f"{seconds:g}")
    if json and seconds is None and until is None and not until_eof:
        raise UsageError(
            "a document needs an end", expected="--seconds, --until or --until-eof", found="none of them"
        )
    if timestamps is not None and timestamps not in _STAMPS:
        raise UsageError("not a form of time", expected=" or ".join(_STAMPS), found=timestamps)
    if eol not in _EOLS:
        raise UsageError("not an end of line", expected=", ".join(_EOLS), found=eol)
    speed = _speed(baud)
    selection = Selection(_pattern(only), _pattern(exclude))
    pattern = _pattern(until)
    symbols = []
    if elf:
        from imgtool.cli.input.files import read_symbols

        symbols = read_symbols(elf)
    from imgtool.cli.input.connection import port_name
    from imgtool.cli.input.files import open_recording
    from imgtool.engine.ports import is_virtual, open_wire

    with ExitStack() as resources:
        record = resources.enter_context(open_recording(log))
        name = port_name(port)
        plan = MonitorPlan(
            eol=_EOLS[eol],
            reset=reset,
            reconnect=reconnect,
            seconds=seconds,
            until=pattern,
            until_eof=until_eof,
            paced=is_virtual(name) and seconds is None,
            log=record,
        )
        wire = open_wire(name)
        look = Look(
            selection=selection,
            stamp=timestamps or "",
            raw=raw,
            notes=notes,
            as_json=json,
            events=events,
            log=log,
        )
        try:
            return _run(wire, plan, look, Hands(speed, keys, echo), symbols)
        except KeyboardInterrupt:
            error = InterruptedRunError("interrupted")
            error.add_note("Ctrl-] ends a monitor with exit code 0")
            raise error from None


class Look(NamedTuple):
    """What is shown, and where."""

    selection: Selection
    stamp: str
    raw: bool
    notes: bool
    as_json: bool
    events: bool
    log: Path | None


class Hands(NamedTuple):
    """Speed, and how keys are sent; the speed is None to follow the chip."""

    speed: int | None
    at_once: bool
    echo: bool


def _speed(text: str) -> int | None:
    if text.lower() == _AUTO:
        return None
    if not text.isdecimal() or not 0 < int(text) <= _HIGHEST:
        raise UsageError("not a speed", expected="auto, or baud such as 74880", found=text)
    return int(text)


_HIGHEST: Final = 12_000_000  # baud; the fastest adapters there are


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"not a regular expression: {error}", found=text) from None


def _run(wire: Wire, plan: MonitorPlan, look: Look, hands: Hands, symbols: Sequence[ElfSymbols]) -> int:
    from imgtool.cli.input.keyboard import Keys, input_of
    from imgtool.cli.input.typing_keys import Typing
    from imgtool.cli.run.monitor_loop import Ended, MonitorRun
    from imgtool.engine.watching import Watch
    from imgtool.operations.watching.line_speed import ROM_BAUD

    # Through a server's socket the speed is not ours to choose.
    watch = Watch(hands.speed if wire.traits.baud else ROM_BAUD, notes=look.notes, symbols=symbols)
    views, screen, record = _views(wire.name, look)
    run = MonitorRun(wire, watch, plan, views, screen)
    with ExitStack() as resources:
        resources.callback(run.close)
        if screen is not None:
            resources.callback(screen.close)
        source = input_of(keys=screen is not None and sys.stdout.isatty())
        if isinstance(source, Keys):
            resources.enter_context(source)
        if screen is not None:
            screen.lines(_opening(wire, hands, keys=isinstance(source, Keys)))
        ended = run.run(source, Typing(plan.eol, at_once=hands.at_once), echo=hands.echo)
        ok = plan.until is None or ended is Ended.UNTIL
        if screen is not None and plan.until is not None and not ok:
            screen.lines((f"no line matched {plan.until.pattern}",))
    if record is not None:
        _print_document(run, record, ended, look, ok=ok)
    return 0 if ok else _NO


def _views(name: str, look: Look) -> tuple[list[View], ScreenView | None, MonitorRecord | None]:
    """Who is shown what happens, and of them the screen and what makes the document."""
    from datetime import datetime

    from imgtool.cli.show import text
    from imgtool.cli.show.monitor_view import JsonLines, ScreenView, Stamp
    from imgtool.engine.jobs.monitor import MonitorRecord

    views: list[View] = []
    screen = record = None
    if look.as_json:
        record = MonitorRecord(look.selection)
        views.append(record)
    else:
        stamp = Stamp(look.stamp, datetime.now().astimezone())
        out = text.stdout()
        screen = ScreenView(out, stamp, look.selection, raw=look.raw, live=out.stream.isatty())
        views.append(screen)
    if look.events:
        views.append(JsonLines(text.stderr(), name, look.selection))
    return views, screen, record


def _opening(wire: Wire, hands: Hands, *, keys: bool) -> tuple[str, ...]:
    if not wire.traits.baud:
        speed = "at its server's speed"
    elif hands.speed is None:
        speed = "74880 baud, then the chip's own"
    else:
        speed = f"{hands.speed} baud"
    first = Phrase(Name(wire.name), f", {speed}")
    return (first, "Ctrl-] ends, Ctrl-T h shows the keys") if keys else (first,)


def _print_document(run: MonitorRun, record: MonitorRecord, ended: Ended, look: Look, *, ok: bool) -> None:
    from imgtool.cli.show.document import print_document
    from imgtool.engine.documents import document
    from imgtool.engine.jobs.monitor import MonitorRunFacts, monitor_fields

    log = None if look.log is None else str(look.log)
    facts = MonitorRunFacts(run.wire.name, run.baud, run.now, ended.value, run.size, log)
    print_document(document("monitor", ok=ok, results=[monitor_fields(facts, record)]))
