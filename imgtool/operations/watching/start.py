"""A chip right after a reset, listened to until it has shown whether its firmware runs, or its time is over.

A value machine: bytes and times come in, the speed to listen at and the end come out.  No port and no clock;
the judgement is :mod:`imgtool.operations.explain.log`'s.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.line_forms import BootStage
from imgtool.operations.explain.boot_rules import own_lines
from imgtool.operations.explain.log import explain
from imgtool.operations.explain.messages.table import known_lines, row_of
from imgtool.operations.explain.values import Verdict
from imgtool.operations.watching.line_speed import is_clean
from imgtool.operations.watching.stream import Watch, WatchLine, WatchSpeed, WatchText

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.formats.logs.boots import Boot
    from imgtool.operations.explain.expected import Expected
    from imgtool.operations.explain.log import Explanation
    from imgtool.operations.watching.stream import WatchEvent

__all__ = ["StartWatch", "is_started"]

# s without a byte behind the loading, after which the firmware is waited for at its own speed: one short line
# of it, such as AT's "ready", would be lost as noise.  The SDK's lines come closer together.
_QUIET: Final = 0.15
# s without a byte, and at most, behind what shows that it runs: a script that ends at once comes behind it.
_REST: Final = 0.15
_MOST_REST: Final = 0.5
# The same behind a failure: the rest of a dump.
_FAILURE_REST: Final = 0.5
_MOST_FAILURE_REST: Final = 1.0
_LOOKED: Final = 0.25  # s between two looks at what has come, while it goes on coming
_HEAD: Final = 300  # lines that are kept at the beginning of all
_TAIL: Final = 600  # and at its end
_LONGEST: Final = 512  # bytes of a line that are kept
_SHORT: Final = 4  # characters that noise may have by chance between two unreadable lines
_NOISE: Final = 3  # one unreadable character of so many makes a line noise, as for the speed
_ODD: Final = re.compile(r"\\x[0-9a-f]{2}")  # how a byte that is no UTF-8 stands in a line that is open
_LAST_OF_SDK: Final = "sdk-phy"  # the row of the SDK's last line: the firmware speaks next
_OPEN: Final = (
    Verdict.UNFINISHED,
    Verdict.SPEAKS,
    Verdict.CANNOT_JUDGE,
    Verdict.WRONG_BAUD,
    Verdict.NOTHING_KNOWN,
)


class StartWatch:
    """What a chip says after a reset.

    Args:
        expected: When and how the firmware speaks that is on it.
        rom: Speed of the boot ROM, at which the line is now.
        now: The time of the reset, s.
        follows: Whether the speed of the line can be changed.
        first_start: Whether it is known that the firmware makes its file system now.
        shows: Whether the firmware says when it is through with its start, so that it is worth a longer wait.

    Attributes:
        expected: The same.
        bauds: The speeds that were listened at, in this order.
    """

    def __init__(
        self,
        expected: Expected,
        rom: int,
        now: float,
        *,
        follows: bool = True,
        first_start: bool = False,
        shows: bool = False,
    ) -> None:
        self.expected = expected
        self.bauds: tuple[int, ...] = (rom,)
        self._first_start = first_start
        self._shows = shows
        self._began = self._heard = self._looked = now
        self._watch = Watch(None if follows else rom, notes=False, rom=rom, firmware=expected.bauds)
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque(maxlen=_TAIL)
        self._noise: list[bytes] = []  # what could not be read at a speed that was left since
        self._noisy = False  # whether the line before was noise
        self._open = b""
        self._size = 0
        self._looked_size = -1
        self._settled_at: float | None = None
        self._found: Explanation | None = None
        self._waits_on = False

    @property
    def log(self) -> bytes:
        """What has come, as lines; without noise of a speed that was left, if there is anything else."""
        lines = [*self._head, *self._tail, self._open]
        return b"\n".join(lines if any(lines) else self._noise)

    @property
    def found(self) -> Explanation:
        """What it comes to so far."""
        if self._found is None:
            self._found = explain(self.log)
        return self._found

    @property
    def lost(self) -> bool:
        """Whether the firmware has spoken, and none of it could be read: a second start may tell more."""
        boots = self.found.boots
        if self.found.verdict is not Verdict.UNFINISHED or not boots:
            return False
        unread = bool(self._noise) or boots[-1].noise
        return unread and is_started(boots[-1]) and not self._makes_files(boots[-1])

    @property
    def waits_on(self) -> bool:
        """Whether the usual time is over, and there is reason to wait longer."""
        return self._waits_on

    # What comes.

    def feed(self, data: bytes, now: float) -> int | None:
        """Take what has come, which may be nothing.

        Args:
            data: The bytes.
            now: The time, s; it only grows.

        Returns:
            The speed to set the line to; None to leave it.
        """
        if data:
            self._heard = now
            self._size += len(data)
            events = self._watch.feed(data, now)
            if any(isinstance(event, WatchLine) and _ends_sdk(event) for event in events):
                events += self._watch.expect(now)
            return self._taken(events)
        if now - self._heard >= _QUIET and self._is_loaded(now):
            return self._taken(self._watch.expect(now))
        return None

    def speed_is(self, baud: int, now: float) -> None:
        """The line has another speed now."""
        if baud not in self.bauds:
            self.bauds = (*self.bauds, baud)
        self._taken(self._watch.speed_is(baud, now))
        self._set_noise_aside()
        self._found = None

    def _taken(self, events: Iterable[WatchEvent]) -> int | None:
        baud = None
        for event in events:
            if isinstance(event, WatchLine):
                self._open = b""
                self._keep(event.data[:_LONGEST])
            elif isinstance(event, WatchText):
                self._open = b"" if _ODD.search(event.text) else _without_noise(event.text.encode())[0]
            elif isinstance(event, WatchSpeed):
                baud = event.baud
        return baud

    def _keep(self, line: bytes) -> None:
        readable = _is_readable(line)
        if not readable or (self._noisy and len(line) < _SHORT):
            line, noise = _without_noise(line)
            self._noise = [*self._noise, noise][-_HEAD:] if noise else self._noise
            self._noisy = bool(noise)
            if noise and not line:
                return
        elif len(line) >= _SHORT:
            self._noise.clear()
            self._noisy = False
        kept = self._head if len(self._head) < _HEAD else self._tail
        kept.append(line)

    def _set_noise_aside(self) -> None:
        """What stands last and cannot be read was heard at the wrong speed: the firmware has not said it."""
        kept = self._tail or self._head
        aside: list[bytes] = []
        while kept and (len(kept[-1]) < _SHORT or not _is_readable(kept[-1])):
            aside.append(kept.pop())
        if any(not _is_readable(line) for line in aside):
            self._noise = [*self._noise, *reversed(aside)][-_HEAD:]
        else:
            kept.extend(reversed(aside))

    # When it is over.

    def over(self, now: float) -> bool:
        """Whether nothing more is to be waited for."""
        self._look(now)
        waited, quiet = now - self._began, now - self._heard
        if self._settled_at is not None:
            runs = self.found.verdict is Verdict.RUNS
            rest, most = (_REST, _MOST_REST) if runs else (_FAILURE_REST, _MOST_FAILURE_REST)
            return quiet >= rest or now - self._settled_at >= most
        if waited < self.expected.seconds:
            return False
        self._waits_on = waited < self.expected.longest and self._may_take_longer()
        return not self._waits_on

    def _look(self, now: float) -> None:
        """Judge what has come, if that is more than before, when the chip pauses or from time to time."""
        pauses = now - self._heard >= _REST or now - self._looked >= _LOOKED
        ends = now - self._began >= self.expected.seconds and self._found is None
        if self._looked_size == self._size or not (pauses or ends):
            return
        self._looked, self._looked_size = now, self._size
        self._found = None
        if self.found.foreign or self.found.verdict in _OPEN:
            self._settled_at = None
        elif self._settled_at is None:
            self._settled_at = now

    def _is_loaded(self, now: float) -> bool:
        """Whether the last boot has come so far that a firmware may speak next."""
        self._look(now)
        boots = self.found.boots
        return bool(boots) and is_started(boots[-1])

    def _may_take_longer(self) -> bool:
        """Whether the firmware was started, and has not said yet what it says when it is through."""
        boots = self.found.boots
        if self.found.verdict not in _OPEN or not boots or not is_started(boots[-1]):
            return False
        if self._makes_files(boots[-1]):
            return True
        return self._shows and _has_begun(boots[-1])

    def _makes_files(self, boot: Boot) -> bool:
        """Whether it makes a file system, as far as that is known: it must not be reset meanwhile."""
        return self._first_start or any(row.slow for row, _ in known_lines(boot))


def _ends_sdk(line: WatchLine) -> bool:
    row = row_of(_LAST_OF_SDK)
    return row is not None and re.search(row.form, line.text) is not None


def is_started(boot: Boot) -> bool:
    """Whether the boot ROM has come to the start of what it has loaded."""
    return boot.checksum is not None or boot.stage > BootStage.ROM


def _has_begun(boot: Boot) -> bool:
    """Whether the application has printed something."""
    known = any(row.speaker.stage is BootStage.APPLICATION for row, _ in known_lines(boot))
    return known or bool(own_lines(boot))


def _without_noise(line: bytes) -> tuple[bytes, bytes]:
    """What can be read behind the last noise of a line, and that noise; a few odd characters are none."""
    text = line.decode("utf-8", "surrogateescape")
    bad = [at for at, char in enumerate(text) if not is_clean(char)]
    if bad and len(bad) * _NOISE < len(text[: bad[-1] + 1]):
        return line, b""
    rest = text[bad[-1] + 1 :].encode("utf-8", "surrogateescape") if bad else b""
    return (rest if len(rest) >= _SHORT else b""), line


def _is_readable(line: bytes) -> bool:
    return is_clean(line.decode("utf-8", "surrogateescape"))
