"""A crash for people: its registers and where it happened, and the ELF files that name the functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imgtool.cli.show.text import Screen
    from imgtool.formats.elf.symbols import ElfSymbols
    from imgtool.formats.logs.crash import Crash
    from imgtool.operations.explain.crash_frames import Frame

__all__ = ["frame_words", "place_words", "read_symbols", "show_crash", "source_words"]


def read_symbols(paths: Sequence[Path]) -> list[ElfSymbols]:
    """The names of linked programs.

    Raises:
        UsageError: A file cannot be read.
        FormatError: A file is no linked program.
    """
    from imgtool.cli.input.files import read_file
    from imgtool.errors import FormatError
    from imgtool.formats.elf.symbols import ElfSymbols

    found = []
    for path in paths:
        try:
            found.append(ElfSymbols.parse(read_file(path)))
        except FormatError as error:
            raise error.with_source(str(path)) from None
    return found


def show_crash(screen: Screen, crash: Crash, frames: Sequence[Frame]) -> None:
    """Show its registers and its code addresses."""
    from imgtool.cli.show.text import Span
    from imgtool.operations.explain.crash_frames import kept_frames

    shown = [
        (name, value)
        for name, value in crash.registers
        if value or (name in _SHOWN_REGISTERS and not (name == "excvaddr" and crash.exception in _NO_ACCESS))
    ]
    if shown or frames:
        screen.line()
        screen.paragraph(f"Crash at line {crash.line}", style="bold")
    if shown:
        screen.table(
            [(Span(name, "dim"), f"0x{value:08x}", _register_words(name, value)) for name, value in shown]
        )
    if not frames:
        return
    screen.line()
    kept = kept_frames(frames)
    rows = [(Span(frame.source, "dim"), f"0x{frame.address:08x}", frame_words(frame)) for frame in kept]
    screen.table(rows[:_SHOWN_FRAMES])
    left_out = [
        f"{count} {words}"
        for count, words in (
            (len(rows[_SHOWN_FRAMES:]), "more further down the stack"),
            (len(frames) - len(kept), "words of the stack that no call in this program returns to"),
        )
        if count
    ]
    if left_out:
        screen.paragraph(f"Not shown: {', '.join(left_out)}.", lead=[Span("  note  ", "dim")])


_SHOWN_REGISTERS = ("epc1", "excvaddr", "pc", "exccause")
_SHOWN_FRAMES = 40
_NO_ACCESS = (0, 4, 5, 6)  # exceptions of which EXCVADDR tells nothing
_MEANINGS = {
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


def _register_words(name: str, value: int) -> str:
    from imgtool.formats.logs.crash import place_of

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
