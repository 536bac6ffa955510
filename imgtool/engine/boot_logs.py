"""Boot logs for a user: what a log means, with cures that have their commands; boots and crashes in words.

Not the judgement, which is :mod:`imgtool.operations.explain.log`'s and :mod:`imgtool.operations.watching`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.engine.cures import filled, worded
from imgtool.engine.results import Table, Tone, Toned
from imgtool.errors import FormatError
from imgtool.formats.logs.crash import place_of
from imgtool.operations.explain import log as explaining
from imgtool.operations.explain.crash_frames import kept_frames
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.engine.inputs import InputFile
    from imgtool.formats.elf.symbols import ElfSymbols
    from imgtool.formats.logs.boots import Boot
    from imgtool.formats.logs.crash import Crash
    from imgtool.operations.explain.crash_frames import Frame
    from imgtool.operations.explain.log import Explanation
    from imgtool.operations.explain.messages.row import Speaker

__all__ = ["boot_tables", "crash_tables", "explain", "place_words", "source_words", "symbols_of"]

_SHOWN_BOOTS: Final = 3
_SHOWN_MESSAGES: Final = 8
_SHOWN_FIRST: Final = 4
_SHOWN_FRAMES: Final = 40
_SHOWN_REGISTERS: Final = ("epc1", "excvaddr", "pc", "exccause")  # also where they are 0
_NO_ACCESS: Final = (0, 4, 5, 6)  # exceptions of which EXCVADDR tells nothing
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


def explain(
    log: bytes | str, symbols: Sequence[ElfSymbols] = (), written: Speaker | None = None
) -> Explanation:
    """Say what a boot log comes to, why, and what to do.

    Takes anything: whole logs, pieces of them, several boots, with the prefixes of a monitor, with noise.  It
    judges the last boot that says enough; a crash counts until another firmware is on the chip.

    Args:
        log: The log as it was recorded, or as text.
        symbols: The linked programs that are on the chip, which name the functions of a crash.
        written: The firmware that is known to be on the chip, which the cures are to fit; None for none.
    """
    found = explaining.explain(log, symbols, written)
    return replace(
        found,
        cures=tuple(filled(cure) for cure in found.cures),
        notes=tuple(worded(remark) for remark in found.remarks),
    )


def symbols_of(elf: InputFile) -> ElfSymbols:
    """The names of a linked program.

    Raises:
        FormatError: It is none.
    """
    from imgtool.formats.elf.symbols import ElfSymbols  # noqa: PLC0415 - slow, and most logs come without

    try:
        return ElfSymbols.parse(elf.data)
    except FormatError as error:
        raise error.with_source(elf.name) from None


def boot_tables(boots: Sequence[Boot]) -> Iterator[Table]:
    """The last boots of a log, those that are alike as one."""
    for first, count in _runs(boots)[-_SHOWN_BOOTS:]:
        again = f", and {count - 1} more like it" if count > 1 else ""
        rows = tuple((Toned(name, Tone.DIM), value) for name, value in _boot_rows(first, numbered=True))
        yield Table(rows=rows, title=f"Boot from line {first.line} on{again}")


def crash_tables(crash: Crash, frames: Sequence[Frame]) -> Iterator[Table]:
    """The registers of a crash, which can be none, then the code addresses in its dump, if there are any."""
    registers = tuple(
        (Toned(name, Tone.DIM), f"0x{value:08x}", _register_words(name, value))
        for name, value in crash.registers
        if value or (name in _SHOWN_REGISTERS and not (name == "excvaddr" and crash.exception in _NO_ACCESS))
    )
    if registers or frames:
        yield Table(rows=registers, title=f"Crash at line {crash.line}")
    if frames:
        yield _frame_table(frames)


def _frame_table(frames: Sequence[Frame]) -> Table:
    kept = kept_frames(frames)
    shown = kept[:_SHOWN_FRAMES]
    left_out = [
        f"{count} {words}"
        for count, words in (
            (len(kept) - len(shown), "more further down the stack"),
            (len(frames) - len(kept), "words of the stack that no call in this program returns to"),
        )
        if count
    ]
    return Table(
        rows=tuple(
            (Toned(each.source, Tone.DIM), f"0x{each.address:08x}", _frame_words(each)) for each in shown
        ),
        below=f"Not shown: {', '.join(left_out)}." if left_out else "",
    )


def _runs(boots: Sequence[Boot]) -> list[tuple[Boot, int]]:
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
        (name, value) for name, value in _boot_rows(boot, numbered=False) if name not in ("firmware", "noise")
    )


def _boot_rows(boot: Boot, *, numbered: bool) -> Iterator[tuple[str, str]]:
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
    if boot.flash_size is not None and boot.loader is None:
        yield "flash size", f"{boot.flash_size}, as the header has it"
    if boot.rf_cal is not None:
        size = f"that of {boot.rf_cal.flash_size}" if boot.rf_cal.flash_size else "the vendor's own place"
        yield "RF-cal", f"sector {boot.rf_cal.sector}, {size}"
    others = [message for message in boot.messages if message.kind not in _IN_OWN_ROWS]
    # The first ones say what was started, the last ones how it ended.
    shown = (
        others
        if len(others) <= _SHOWN_MESSAGES
        else (*others[:_SHOWN_FIRST], *others[_SHOWN_FIRST - _SHOWN_MESSAGES :])
    )
    for message in shown:
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


def _register_words(name: str, value: int) -> str:
    """What a register of a crash means, and what memory it points to."""
    meaning = _MEANINGS.get(name, "")
    is_address = bool(meaning)
    return f"{meaning}: {place_of(value)}" if is_address else meaning


def _frame_words(frame: Frame) -> str:
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
