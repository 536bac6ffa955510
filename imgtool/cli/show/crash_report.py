"""A crash for people: its registers and where it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Screen
    from imgtool.formats.logs.crash import Crash
    from imgtool.operations.explain.crash_frames import Frame

__all__ = ["show_crash"]


def show_crash(screen: Screen, crash: Crash, frames: Sequence[Frame]) -> None:
    """Show its registers and its code addresses."""
    from imgtool.cli.show.text import Span
    from imgtool.engine.jobs.explain import frame_words, register_words
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
            [(Span(name, "dim"), f"0x{value:08x}", register_words(name, value)) for name, value in shown]
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
