"""What there is to say about a chip while its lines come in: the judgement of a boot log, woven in.

:func:`imgtool.operations.explain.log.explain` judges; this keeps the lines that it judges, decides when, and
sees that nothing is said twice.  No lines are made here (imgtool.operations.watching.stream), and nothing is
printed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from imgtool.operations.actions import Verb
from imgtool.operations.explain.crash_frames import kept_frames, mismatch_of
from imgtool.operations.explain.expected import bauds_of
from imgtool.operations.explain.log import explain
from imgtool.operations.explain.messages.row import SHOW_THEIR_START
from imgtool.operations.explain.messages.table import read_log, speaker_of
from imgtool.operations.explain.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.formats.elf.symbols import ElfSymbols
    from imgtool.formats.logs.boots import Boot
    from imgtool.operations.actions import Cure
    from imgtool.operations.explain.crash_frames import Frame
    from imgtool.operations.explain.log import Explanation

__all__ = ["BootNotes", "WatchNote"]

_BANNER: Final = b"rst cause:"
# Behind this every line that is known means something, and every other one is the firmware's.
_BEFORE: Final = (
    b"ets Jan  8 2013,rst cause:2, boot mode:(3,6)\nload 0x40100000, len 16, room 16\ntail 0\ncsum 0x00\n"
)
_HEAD: Final = 100  # lines of a boot that are kept at its beginning
_TAIL: Final = 300  # and at its end: an exception with its stack
_LONGEST: Final = 512  # bytes of a line that are kept
_BOOTS: Final = 6
_MOST_FRAMES: Final = 8
_LOOP: Final = 10.0  # s; what ran longer than that is no part of a loop

# Nothing is wrong, or it cannot be told: the note on the reset has said it.
_SILENT: Final = (Verdict.SPEAKS, Verdict.UNFINISHED)


@dataclass(frozen=True, slots=True)
class WatchNote:
    """Something that is to be said about what has come.

    Attributes:
        at: When, s.
        kind: ``boot`` (a reset: why, and where the chip boots from), ``verdict`` (it waits for a flasher, or
            a firmware that says so is through with its start), ``failure``, ``speed`` (it changes, or none is
            right), ``silence``, ``elf`` (a program is of another firmware than the one that crashed).
        text: One or two sentences, or a phrase.
        verdict: What the boot comes to, for ``verdict`` and ``failure``.
        cure: What to do first about a failure; None where nothing is known.
        frames: The first functions of a crash, where programs name them.
    """

    at: float
    kind: str
    text: str
    verdict: Verdict | None = None
    cure: Cure | None = None
    frames: tuple[Frame, ...] = ()


class _BootLines:
    """The lines of one boot, as far as they are kept."""

    def __init__(self, began: float) -> None:
        self.began = began
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque(maxlen=_TAIL)

    def add(self, line: bytes) -> None:
        """Keep one more."""
        kept = self._head if len(self._head) < _HEAD else self._tail
        kept.append(line[:_LONGEST])

    def __iter__(self) -> Iterator[bytes]:
        yield from self._head
        yield from self._tail


class BootNotes:
    """Takes lines, gives notes.

    Args:
        symbols: The linked programs that are on the chip, which name the functions of a crash.
    """

    def __init__(self, symbols: Sequence[ElfSymbols] = ()) -> None:
        self._symbols = symbols
        self._boots: deque[_BootLines] = deque([_BootLines(0.0)], maxlen=_BOOTS)
        self._pending = False
        self._fresh = _BootLines(0.0)  # not looked at yet
        self._noted: set[object] = set()
        self._noted_before: set[object] = set()

    @property
    def bauds(self) -> tuple[int, ...]:
        """The speeds at which the firmware of the last boot may speak; none where no line names it."""
        boots = read_log(b"\n".join(self._boots[-1])).boots
        return bauds_of(speaker_of(boots[-1])) if boots else ()

    def before(self, line: bytes, now: float) -> tuple[WatchNote, ...]:
        """What there is to say before a line is shown: if it begins a boot, how the last one ended."""
        return self.judge(now) if _BANNER in line else ()

    def take(self, line: bytes, now: float) -> tuple[WatchNote, ...]:
        """The next line, and what there is to say because of it."""
        if _BANNER not in line:
            self._boots[-1].add(line)
            self._fresh.add(line)
            return ()
        self._begin(line, now)
        return tuple(_on_reset(line, now))

    def judge(self, now: float) -> tuple[WatchNote, ...]:
        """What the boot comes to as far as it has come; called when a boot ends, or pauses."""
        # Lines are looked at when they are asked for: a firmware may print faster than they can be.
        pending = self._pending or _has_news(self._fresh)
        self._pending = False
        self._fresh = _BootLines(now)
        if not pending:
            return ()
        result = explain(b"\n".join(line for boot in self._boots for line in boot), self._symbols)
        if result.foreign or result.verdict in _SILENT:
            return ()
        if result.verdict is Verdict.RUNS:
            return self._runs(result, now)
        # The sentence of a loop counts its boots.
        if not self._is_new(result.verdict if result.verdict is Verdict.BOOT_LOOP else result.sentence):
            return ()
        kind = "verdict" if result.ok else "failure"
        # Who reads this has a monitor already.
        others = (
            cure
            for cure in result.cures
            if not any(action.verb is Verb.RECORD_LOG for action in cure.actions)
        )
        cure = None if result.ok else next(others, None)
        named = [frame for frame in kept_frames(result.frames) if frame.function]
        return (
            WatchNote(now, kind, result.sentence, result.verdict, cure, tuple(named[:_MOST_FRAMES])),
            *self._refused(result, now),
        )

    def _is_new(self, subject: object) -> bool:
        """Whether something was not said of this boot yet, nor of the one before; now it is."""
        known = subject in self._noted or subject in self._noted_before
        self._noted.add(subject)
        return not known

    def _runs(self, result: Explanation, now: float) -> tuple[WatchNote, ...]:
        """That a firmware of which every build says so is through with its start."""
        speaker = speaker_of(result.boots[-1])
        if speaker not in SHOW_THEIR_START or not self._is_new((result.verdict, speaker)):
            return ()
        return (WatchNote(now, "verdict", f"{speaker.title} runs", result.verdict),)

    def _refused(self, result: Explanation, now: float) -> Iterator[WatchNote]:
        wrong = mismatch_of(result.crash, self._symbols) if result.crash is not None else None
        if wrong is not None:
            yield WatchNote(now, "elf", f"The ELF file is of another firmware: {wrong}.")

    def restart(self, now: float) -> None:
        """The chip is reset on purpose: what was before is no part of a loop, and all may be said again."""
        self._boots.clear()
        self._boots.append(_BootLines(now))
        self._pending = False
        self._fresh = _BootLines(now)
        self._noted = set()
        self._noted_before = set()

    def _begin(self, line: bytes, now: float) -> None:
        if now - self._boots[-1].began > _LOOP:
            self._boots.clear()
        self._boots.append(_BootLines(now))
        self._boots[-1].add(line)
        self._noted_before, self._noted = self._noted, set()
        self._pending = True


def _on_reset(line: bytes, now: float) -> Iterator[WatchNote]:
    boots = read_log(line).boots
    if not boots:
        return
    cause, mode = boots[-1].cause, boots[-1].mode
    words = [] if cause is None else [cause.name.partition(":")[0]]
    if mode is not None:
        words.append(mode.name)
    if words:
        yield WatchNote(now, "boot", "; ".join(words))


def _has_news(lines: _BootLines) -> bool:
    """Whether the reader of boot logs makes more of these lines than words of the firmware."""
    text = b"\n".join(lines)
    return bool(text) and _bare(text) != _nothing()


@cache
def _nothing() -> tuple[Boot, ...]:
    return _bare(b"")


def _bare(lines: bytes) -> tuple[Boot, ...]:
    boots = read_log(_BEFORE + lines).boots
    return tuple(replace(boot, firmware=(), firmware_lines=0, noise=False) for boot in boots)
