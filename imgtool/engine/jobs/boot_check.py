"""How a firmware starts that was written: the chip is listened to with the knowledge of what is on it.

Not the judgement, which is :mod:`imgtool.operations.explain.log`'s, and not when it is over
(:mod:`imgtool.operations.watching.start`).  A part of ``flash``; time is the port's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.device.events import Event
from imgtool.engine.boot_logs import explain
from imgtool.engine.cures import filled
from imgtool.errors import InterruptedRunError, LineError
from imgtool.layout.generations import generation_of
from imgtool.operations.actions import cure, record_log
from imgtool.operations.explain.expected import expected_of, speaker_named
from imgtool.operations.explain.messages.row import SHOW_THEIR_START, Speaker
from imgtool.operations.explain.messages.table import speaker_of
from imgtool.operations.explain.values import Verdict
from imgtool.operations.watching.start import StartWatch, is_started
from imgtool.quantities import duration

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import Session
    from imgtool.formats.reading import Firmware
    from imgtool.operations.explain.expected import Expected
    from imgtool.operations.explain.log import Explanation

__all__ = ["STAGE", "BootCheck", "WrittenFirmware", "watch_start"]

STAGE: Final = "boot"
"""The stage of the events."""

_GLANCE: Final = 0.01  # s that a read waits for bytes
_SILENT: Final = "the chip said nothing after the reset: whether the firmware starts is not known"


class WrittenFirmware(NamedTuple):
    """What is expected to start.

    Attributes:
        firmware: What the image says that it is; None where that is not known.
        first_start: Whether it is known that it makes its file system now.
    """

    firmware: Firmware | None = None
    first_start: bool = False

    @property
    def speaker(self) -> Speaker | None:
        """Who it is in a log."""
        return None if self.firmware is None else speaker_named(self.firmware.name)

    @property
    def name(self) -> str:
        """What to call it."""
        return "the firmware" if self.speaker is None else self.speaker.title

    @property
    def shows(self) -> bool:
        """Whether every build of it says when it is through with its start."""
        return self.speaker in SHOW_THEIR_START

    @property
    def expected(self) -> Expected:
        """When it speaks, and how fast."""
        expected = expected_of(self.speaker)
        own = generation_of(self.firmware).baud if self.speaker is not None else None
        if own is None:
            return expected
        return expected._replace(bauds=tuple(dict.fromkeys((own, *expected.bauds))))


class BootCheck(NamedTuple):
    """What was heard of a start.

    Attributes:
        boot: What it comes to; None where nothing was heard.
        note: What else is to be said; empty for nothing.
    """

    boot: Explanation | None
    note: str = ""


def watch_start(session: Session, written: WrittenFirmware, on_event: Listener) -> BootCheck:
    """Listen to a chip that was just reset, until it is clear how its firmware starts, or its time is over.

    A :class:`KeyboardInterrupt` ends the waiting, and what has come until then is judged.

    Args:
        session: The connection, whose :meth:`~imgtool.device.session.Session.run_firmware` was called.
        written: What is expected to start.
        on_event: Told what is waited for, and every second that it still is, by events with :data:`STAGE`.

    Raises:
        PortError: The port is lost.
    """
    clock = session.wire.clock
    start = clock.monotonic()
    ours = session.wire.traits.baud
    watch = _watch_of(written, session.baud, start, follows=ours)
    log = b""
    by_hand = False
    try:
        _listen(session, watch, _Told(written, on_event, start))
        if watch.lost and ours:
            log = watch.log + b"\n"
            watch = _second_look(session, written, on_event)
    except (KeyboardInterrupt, InterruptedRunError):
        by_hand = True
    waited = clock.monotonic() - start
    log += watch.log
    ended = f"the waiting was ended by hand, after {duration(waited)}" if by_hand else ""
    if not log.strip():
        return BootCheck(None, ended or _SILENT)
    boot = explain(log, written=written.speaker)
    notes = [note for note in (_other_firmware(boot, written), ended) if note]
    if boot.verdict is Verdict.UNFINISHED and not by_hand:
        boot = _not_told(boot, written, watch, waited, speed_is_ours=ours)
    return BootCheck(boot, "; ".join(notes))


def _watch_of(written: WrittenFirmware, baud: int, now: float, *, follows: bool) -> StartWatch:
    return StartWatch(
        written.expected,
        baud,
        now,
        follows=follows,
        first_start=written.first_start,
        shows=written.shows,
    )


def _second_look(session: Session, written: WrittenFirmware, on_event: Listener) -> StartWatch:
    """Start it once more, and listen at its own speed from the beginning."""
    baud = written.expected.bauds[0]
    on_event(Event(STAGE, message=f"starting it once more, to listen at {baud} baud from the beginning"))
    session.run_firmware(baud)
    now = session.wire.clock.monotonic()
    watch = _watch_of(written, baud, now, follows=False)
    _listen(session, watch, _Told(written, on_event, now))
    return watch


class _Told:
    """What the listener is told: what is waited for, and every second that it still is."""

    def __init__(self, written: WrittenFirmware, on_event: Listener, start: float) -> None:
        self._written = written
        self._on_event = on_event
        self._start = start
        self._last = 0
        self._words = _waiting_words(written)
        on_event(Event(STAGE, message=self._words))

    def tell(self, now: float, *, longer: bool) -> None:
        """Tell it, where it is time to."""
        words = _longer_words(self._written) if longer else self._words
        seconds = int(now - self._start)
        if seconds > self._last or words != self._words:
            self._last, self._words = seconds, words
            self._on_event(Event(STAGE, seconds, message=words))


def _listen(session: Session, watch: StartWatch, told: _Told) -> None:
    clock = session.wire.clock
    over = False
    while not over:
        # Silence is judged by the time before the look: a busy machine may not have let us look for long.
        now = clock.monotonic()
        data = session.hear(_GLANCE)
        baud = watch.feed(data, clock.monotonic() if data else now)
        if baud is not None:
            _change_speed(session, watch, baud)
        over = watch.over(now)
        told.tell(now, longer=watch.waits_on)


def _change_speed(session: Session, watch: StartWatch, baud: int) -> None:
    try:
        session.hear_at(baud)
    except LineError:
        baud = session.baud  # the adapter cannot; what it can is listened to
    # What waits was heard at the speed of before.
    clock = session.wire.clock
    watch.feed(session.hear(0), clock.monotonic())
    watch.speed_is(baud, clock.monotonic())


# Words.


def _waiting_words(written: WrittenFirmware) -> str:
    """What is waited for, and how long."""
    expected = written.expected
    most = f"up to {expected.seconds:g} s"
    if expected.longest > expected.seconds and written.first_start:
        most = f"up to {expected.longest:g} s, as it makes its file system first"
    elif expected.longest > expected.seconds and written.shows:
        most += f"; a first start takes up to {expected.longest:g} s"
    return f"waiting for what {written.name} says: {expected.first}, {most}"


def _longer_words(written: WrittenFirmware) -> str:
    return (
        f"{written.name} was started and is not through with it: waiting up to "
        f"{written.expected.longest:g} s (Ctrl-C ends the waiting)"
    )


def _other_firmware(boot: Explanation, written: WrittenFirmware) -> str:
    """That another firmware speaks than was written; empty where it is the same, or not known."""
    heard = speaker_of(boot.boots[-1]) if boot.boots else None
    if not written.shows or heard is written.speaker or heard not in SHOW_THEIR_START:
        return ""
    return f"what starts is {heard.title}, and {written.name} was written"


def _not_told(
    boot: Explanation, written: WrittenFirmware, watch: StartWatch, waited: float, *, speed_is_ours: bool
) -> Explanation:
    """A boot that is in order as far as it was heard, in the words of who knows how long that was."""
    expected = watch.expected
    speeds = " and ".join(f"{baud}" for baud in watch.bauds)
    where = f"at {speeds} baud" if speed_is_ours else "at the speed of the server"
    if not is_started(boot.boots[-1]):
        return replace(
            boot,
            sentence=f"Whether {written.name} runs cannot be told: the boot ROM has not come to its start.",
            cause=f"Nothing more came within {duration(waited)}, {where}. The ROM has stopped, the chip has "
            "lost its supply, or it was reset meanwhile.",
        )
    why = (
        "What came could not be read: the firmware speaks at another speed, or the line is bad."
        if watch.lost
        else "The firmware may be silent, may speak at another speed, may need longer, or may hang."
    )
    return replace(
        boot,
        sentence=f"Whether {written.name} runs cannot be told: it was started, and what would show it did "
        "not come.",
        cause=f"That is: {expected.first}. Within {duration(waited)}, {where}, it was not heard. {why}",
        cures=(filled(cure("Hear more, from the next reset on.", record_log(expected.bauds[0]))),),
    )
