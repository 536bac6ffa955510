"""``imgtool explain``: what a boot log says: verdict, cause, cure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from imgtool.cli.input.arguments import JsonOption, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.cli.show.text import Line, Screen
    from imgtool.formats.logs.boots import Boot
    from imgtool.formats.logs.crash import Crash
    from imgtool.operations.explain.log import Explanation

__all__ = ["explain"]

_FAILURE = 1
_FOREIGN = 3
_STDIN = "-"


def explain(
    log: Annotated[
        str | None, typer.Argument(metavar="LOG", help="A boot log; - for stdin.", show_default=False)
    ] = None,
    elf: Annotated[
        list[Path] | None,
        typer.Option(
            "--elf",
            metavar="FILE",
            help="The ELF file of the firmware: names the functions of a crash. Several are allowed.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what a boot log means: verdict, cause, and the commands that cure it.

    Exit code 0: the firmware starts, or waits to be written. 1: it does not. 3: this is no boot log.

    Example: imgtool explain boot.log
    """
    from imgtool.operations.explain.log import explain as explained

    symbols = []
    if elf:
        from imgtool.cli.show.crash_report import read_symbols

        symbols = read_symbols(elf)
    result = explained(_read(log), symbols)
    if json:
        from imgtool.cli.show.documents import document

        name = _STDIN if log is None else log
        typer.echo(document("explain", ok=result.ok, results=[_fields(name, result)]))
    else:
        _show(result)
    raise typer.Exit(_FOREIGN if result.foreign else 0 if result.ok else _FAILURE)


def _read(log: str | None) -> bytes:
    if log not in (None, _STDIN):
        from imgtool.cli.input.files import read_file

        return read_file(Path(log or ""))
    stdin: TextIO | None = sys.stdin  # None for a process that was started without one
    if stdin is None or (log is None and stdin.isatty()):
        found = "none" if stdin is None else "a terminal"
        raise UsageError("no log is given", expected="a file, or a log on stdin", found=found)
    try:
        return stdin.buffer.read()
    except OSError as error:
        from imgtool.cli.input.files import unusable

        raise unusable("stdin", "read", error) from None


# For programs.


def _fields(path: str, result: Explanation) -> dict[str, Any]:
    from imgtool.cli.show.documents import cure_fields

    return {
        "path": path,
        "verdict": str(result.verdict),
        "sentence": result.sentence,
        "cause": result.cause,
        "cures": [cure_fields(cure) for cure in result.cures],
        "notes": list(result.notes),
        "repeats": result.repeats,
        "boots": [_boot_fields(boot) for boot in result.boots],
        "crash": None if result.crash is None else _crash_fields(result.crash),
        "frames": [frame._asdict() for frame in result.frames],
        "speeds": [speeds._asdict() for speeds in result.speeds],
    }


def _crash_fields(crash: Crash) -> dict[str, Any]:
    return {
        "line": crash.line,
        "kind": crash.kind,
        "text": crash.text,
        "exception": crash.exception,
        "detail": crash.detail,
        "registers": dict(crash.registers),
        "context": crash.context,
        "stack": [word._asdict() for word in crash.stack],
        "backtrace": list(crash.backtrace),
        "allocation": None if crash.allocation is None else crash.allocation._asdict(),
        "earlier": crash.earlier,
    }


def _boot_fields(boot: Boot) -> dict[str, Any]:
    return {
        "line": boot.line,
        "cause": None if boot.cause is None else boot.cause._asdict(),
        "mode": None if boot.mode is None else boot.mode._asdict(),
        "segments": [segment._asdict() for segment in boot.segments],
        "checksum": boot.checksum,
        "loader": None if boot.loader is None else boot.loader._asdict(),
        "rf_cal": None if boot.rf_cal is None else boot.rf_cal._asdict(),
        "init_data_byte": boot.init_data_byte,
        "messages": [message._asdict() for message in boot.messages],
        "firmware": [{"line": line, "text": text} for line, text in boot.firmware],
        "firmware_lines": boot.firmware_lines,
        "noise": boot.noise,
        "crashes": boot.crash_count,
    }


# For people.

_SHOWN_BOOTS = 3
_SHOWN_MESSAGES = 8
# Told by other rows of the table.
_TOLD = ("rf-byte",)


def _show(result: Explanation) -> None:
    from imgtool.cli.show.cures import show_cures, show_notes
    from imgtool.cli.show.text import stdout

    screen = stdout()
    style = "bold green" if result.ok else "bold red" if result.boots else "bold yellow"
    screen.paragraph(result.sentence, style=style)
    screen.line()
    screen.paragraph(result.cause)
    show_cures(screen, result.cures)
    show_notes(screen, result.notes)
    if result.crash is not None:
        from imgtool.cli.show.crash_report import show_crash

        show_crash(screen, result.crash, result.frames)
    for first, count in _runs(result.boots)[-_SHOWN_BOOTS:]:
        screen.line()
        _show_boot(screen, first, count)


def _runs(boots: tuple[Boot, ...]) -> list[tuple[Boot, int]]:
    """The boots, each with how many like it follow."""
    runs: list[tuple[Boot, int]] = []
    for boot in boots:
        if runs and _alike(runs[-1][0]) == _alike(boot):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((boot, 1))
    return runs


def _alike(boot: Boot) -> tuple[object, ...]:
    return tuple(
        (name, value) for name, value in _rows(boot, numbered=False) if name not in ("firmware", "noise")
    )


def _show_boot(screen: Screen, boot: Boot, count: int) -> None:
    from imgtool.cli.show.text import Span

    again = f", and {count - 1} more like it" if count > 1 else ""
    screen.paragraph(f"Boot from line {boot.line} on{again}", style="bold")
    rows: list[tuple[Line, ...]] = [(Span(name, "dim"), value) for name, value in _rows(boot, numbered=True)]
    if rows:
        screen.table(rows)


def _rows(boot: Boot, *, numbered: bool) -> Iterator[tuple[str, str]]:
    """What is known of a boot, a row for each thing."""
    if boot.cause is not None:
        yield "reset", f"{boot.cause.code}: {boot.cause.name}"
    if boot.mode is not None:
        yield "boot mode", _mode(boot)
    for segment in boot.segments:
        checksum = "" if segment.checksum is None else f", chksum 0x{segment.checksum:02x}"
        wrong = "" if segment.plausible else ", no memory there"
        yield "segment", f"0x{segment.address:08x}, {segment.length:,} bytes{checksum}{wrong}"
    if boot.checksum is not None:
        yield "checksum", f"0x{boot.checksum:02x}, {'WRONG' if boot.has('csum-err') else 'no error'}"
    yield from _loader_rows(boot)
    if boot.rf_cal is not None:
        size = f"that of {boot.rf_cal.flash_size}" if boot.rf_cal.flash_size else "the vendor's own place"
        yield "RF-cal", f"sector {boot.rf_cal.sector}, {size}"
    told = [message for message in boot.messages if message.kind not in _TOLD]
    for message in told[:_SHOWN_MESSAGES]:
        yield (f"line {message.line}" if numbered else "message"), message.text
    for line, words in boot.firmware:
        yield (f"line {line}" if numbered else "firmware"), words
    if boot.noise:
        yield "noise", f"unreadable characters{' behind the loading' if boot.segments else ''}"


def _mode(boot: Boot) -> str:
    mode = boot.mode
    if mode is None or mode.gpio15 is None:
        return "" if mode is None else f"{mode.code}: {mode.name}"
    pins = (("GPIO15", mode.gpio15), ("GPIO0", mode.gpio0), ("GPIO2", mode.gpio2))
    levels = ", ".join(f"{name} {'high' if high else 'low'}" for name, high in pins)
    return f"{mode.code}: {mode.name} ({levels})"


def _loader_rows(boot: Boot) -> Iterator[tuple[str, str]]:
    loader = boot.loader
    if loader is None:
        return
    yield "boot loader", f"Espressif {loader.version}"
    header = [word for word in (loader.mode, loader.speed, loader.flash_size) if word]
    if header:
        yield "header", ", ".join(header)
    if loader.slot is not None:
        at = "" if loader.address is None else f" at 0x{loader.address:x}"
        yield "starts", f"user{loader.slot}{at}"
