"""What a boot log says, as rows of words and as JSON: its boots, its crash, the functions of it.

Not the explaining (imgtool.operations.explain).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from imgtool.engine.documents import cure_fields
from imgtool.formats.logs.crash import place_of
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.logs.boots import Boot
    from imgtool.formats.logs.crash import Crash
    from imgtool.operations.explain.crash_frames import Frame
    from imgtool.operations.explain.log import Explanation

__all__ = [
    "boot_rows",
    "boot_runs",
    "explanation_fields",
    "frame_words",
    "place_words",
    "register_words",
    "source_words",
]

_SHOWN_MESSAGES: Final = 8
# They have rows of their own in the table.
_IN_OWN_ROWS: Final = ("rf-byte",)
_MEANINGS: Final = {
    "epc1": "where it happened",
    "pc": "where it happened",
    "excvaddr": "address that was accessed",
    "epcvaddr": "address that was accessed",
    "epc2": "where an interrupt of level 2 came",
    "epc3": "where an interrupt of level 3 came",
    "depc": "where a second exception came",
    "a0": "where the function returns to",
    "a1": "the stack pointer",
}


def explanation_fields(path: str, result: Explanation) -> dict[str, Any]:
    """The result of ``explain``."""
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


# Words.


def boot_runs(boots: tuple[Boot, ...]) -> list[tuple[Boot, int]]:
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
        (name, value) for name, value in boot_rows(boot, numbered=False) if name not in ("firmware", "noise")
    )


def boot_rows(boot: Boot, *, numbered: bool) -> Iterator[tuple[str, str]]:
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
    others = [message for message in boot.messages if message.kind not in _IN_OWN_ROWS]
    for message in others[:_SHOWN_MESSAGES]:
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


def register_words(name: str, value: int) -> str:
    """What a register of a crash means, and what memory it points to."""
    meaning = _MEANINGS.get(name, "")
    is_address = bool(meaning)
    return f"{meaning}: {place_of(value)}" if is_address else meaning


def frame_words(frame: Frame) -> str:
    """A code address in words: its function and source line, or what memory that is."""
    source = source_words(frame)
    return Phrase(place_words(frame), ", ", source) if source else place_words(frame)


def place_words(frame: Frame) -> str:
    """The function of a code address, or what memory that is."""
    return frame.place if frame.function is None else f"{frame.function}+0x{frame.offset or 0:x}"


def source_words(frame: Frame) -> Name:
    """Its source line, empty where that is not known."""
    known = frame.function is not None and frame.file is not None
    return Name(f"{_short(frame.file or '')}:{frame.line}" if known else "")


def _short(file: str) -> str:
    """The last folder and the name of a source file."""
    return "/".join(file.replace("\\", "/").split("/")[-2:])
