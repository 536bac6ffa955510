"""A chip at an open port, watched: stepped by its owner, who shows what comes and says what is sent.

Not the lines and their meaning (imgtool.engine.watching), and no keys, no screen and no file: bytes are
handed on as they come.  Time is the port's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.device.port_errors import LostPortError, OneTimePortError
from imgtool.device.reset import HARD_RESET, Sequence, approach_for, play
from imgtool.device.wire import Lines, losses
from imgtool.engine.documents import document
from imgtool.engine.results import Row, Tone, Words
from imgtool.engine.verdicts import DONE, NO
from imgtool.engine.watching import Selection, Watch, harmless, line_fields, note_fields
from imgtool.errors import PortError, UsageError
from imgtool.operations.watching.line_speed import ROM_BAUD
from imgtool.operations.watching.stream import WatchEvent, WatchLine, WatchNote, WatchSpeed, WatchText
from imgtool.phrase import Name, Phrase
from imgtool.quantities import duration, in_bytes

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.results import Output
    from imgtool.formats.elf.symbols import ElfSymbols

__all__ = [
    "EOLS",
    "Ended",
    "Monitor",
    "MonitorEnd",
    "MonitorEvent",
    "MonitorRequest",
    "MonitorResult",
    "PortChange",
]

EOLS: Final = {"crlf": b"\r\n", "lf": b"\n", "cr": b"\r", "none": b""}
"""What may stand behind a line that is sent, by name; NodeMCU and MicroPython take the first."""

_HIGHEST_BAUD: Final = 12_000_000  # the fastest adapters there are
_GLANCE: Final = 0.01  # s that a read waits for bytes, before the owner is asked again
_AT_ONCE: Final = 4096
_REST: Final = 0.1  # s for the rest of a line
_RETRY: Final = 0.5  # s between two attempts to open a port that was lost
# A line is sent when the chip has been quiet for so long, or has been sent none for so long.
_CALM: Final = 0.3
_PATIENCE: Final = 3.0
_EVERY_LINE: Final = Selection()


class Ended(Enum):
    """Why a monitor ended."""

    KEY = "key"
    """Its owner wanted it."""
    SECONDS = "seconds"
    UNTIL = "until"
    EOF = "eof"
    """All that was to be sent is sent, and the chip has answered."""


_END_WORDS: Final = {
    Ended.KEY: "ended by hand",
    Ended.SECONDS: "the time is over",
    Ended.EOF: "all is sent, and the chip is quiet",
}


class PortChange(NamedTuple):
    """The port is lost, or there again.

    Attributes:
        at: When, s.
        there: Whether it is there now.
    """

    at: float
    there: bool


class MonitorEnd(NamedTuple):
    """The monitor has ended; nothing comes behind this.

    Attributes:
        at: When, s.
        how: Why.
    """

    at: float
    how: Ended


MonitorEvent = WatchEvent | PortChange | MonitorEnd
"""What comes out of a step of a :class:`Monitor`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRequest:
    """What a monitor is to do.

    Attributes:
        baud: Speed of the line; None begins at that of the boot ROM and follows the chip.
        reset: Whether the chip is reset at the start, to see it boot.
        notes: Whether there are notes between the lines.
        symbols: The linked programs that are on the chip, which name the functions of a crash.
        seconds: When it ends, by the time of the port; None for never.
        until: What a line says at which it ends; None for nothing.
        reconnect: Whether a port that is lost is waited for.
        keep: Whether lines and notes are kept for the document; those of a run without an end need room.
        selection: Which lines are kept.
        log: Name of the file that the owner writes the bytes to, for the document; None for none.

    Raises:
        UsageError: The speed or the time is none.
    """

    baud: int | None = None
    reset: bool = True
    notes: bool = True
    symbols: tuple[ElfSymbols, ...] = ()
    seconds: float | None = None
    until: re.Pattern[str] | None = None
    reconnect: bool = True
    keep: bool = True
    selection: Selection = _EVERY_LINE
    log: str | None = None

    def __post_init__(self) -> None:
        if self.baud is not None and not 0 < self.baud <= _HIGHEST_BAUD:
            raise UsageError("not a speed", expected="auto, or baud such as 74880", found=str(self.baud))
        if self.seconds is not None and self.seconds <= 0:
            raise UsageError("not a time", expected="seconds, more than 0", found=f"{self.seconds:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorResult:
    """What a run of a monitor came to.

    Attributes:
        ended: Why it ended.
        baud: The speed at its end; None where a server has it.
        seconds: How long it ran, by the time of the port.
        size: Bytes that came.
        ok: Whether the line has come that was waited for, if one was.
        document: What ``imgtool monitor --json`` prints.
        words: What a person is told.
        outputs: None.
    """

    ended: Ended
    baud: int | None
    seconds: float
    size: int
    ok: bool
    document: Document = field(repr=False)
    words: Words = field(repr=False)
    outputs: tuple[Output, ...] = ()

    @property
    def code(self) -> int:
        """The exit code of ``monitor``."""
        return DONE if self.ok else NO


def _keep_nowhere(_: bytes) -> None:
    """Nobody wants the bytes."""


class Monitor:
    """A run of a monitor, which its owner steps until it is over.

    ``step`` and all that does something return what has happened, in order.  What is asked of a port that is
    lost is not done, and nothing is returned for it.  The port stays open for who opened it.

    Args:
        wire: An open port.
        request: What is to be done.
        on_bytes: Given what comes, byte for byte, before it is looked at.

    Attributes:
        wire: The port.
        size: How many bytes have come.
        lost: Whether the port is lost, and waited for.
        over: Whether it has ended, and all that happened has been returned.
        idle: Seconds of the port's time that the last step has waited without a byte.  Who shows a chip with
            a time of its own to people has to let them pass.
    """

    def __init__(
        self, wire: Wire, request: MonitorRequest, on_bytes: Callable[[bytes], None] = _keep_nowhere
    ) -> None:
        self.wire = wire
        self.size = 0
        self.lost = self.over = False
        self.idle = 0.0
        self._request = request
        self._on_bytes = on_bytes
        # Through a server's socket the speed is not ours to choose.
        baud = request.baud if wire.traits.baud else ROM_BAUD
        self._watch = Watch(baud, notes=request.notes, symbols=request.symbols)
        self._start = wire.clock.monotonic()
        # Silence is judged by this and not by the time of now: a busy machine may not have let us look.
        self._looked_at = 0.0
        self._traffic_at = 0.0
        self._sent_at = 0.0
        self._until_at = inf
        self._begun = False
        self._ended: Ended | None = None
        self._failure: PortError | None = None
        self._happened: list[MonitorEvent] = []
        self._lines: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []

    @property
    def now(self) -> float:
        """Seconds since the monitor began, by the time of the port."""
        return self.wire.clock.monotonic() - self._start

    @property
    def baud(self) -> int | None:
        """The speed of the line; None where it is a server's."""
        return self._watch.baud if self.wire.traits.baud else None

    @property
    def opening(self) -> Phrase:
        """Which port, at which speed, for a person before the first step."""
        if not self.wire.traits.baud:
            speed = "at its server's speed"
        elif self._request.baud is None:
            speed = f"{ROM_BAUD} baud, then the chip's own"
        else:
            speed = f"{self._request.baud} baud"
        return Phrase(Name(self.wire.name), f", {speed}")

    @property
    def calm(self) -> bool:
        """Whether the chip has been quiet for a while since it was sent something."""
        return self._looked_at - max(self._traffic_at, self._sent_at) >= _CALM

    @property
    def ready(self) -> bool:
        """Whether the chip has had the time for what it was sent, so that a next line can follow."""
        return not self.lost and (self.calm or self._looked_at - self._sent_at >= _PATIENCE)

    # What the owner does.

    def step(self) -> list[MonitorEvent]:
        """Go on for a moment: listen, or look whether a port that was lost is back.

        Raises:
            PortError: The port is lost, and not waited for; or it does not take a speed.
        """
        if self.over:
            return []
        if self._failure is not None:
            raise self._failure
        self.idle = 0.0
        if self._has_ended():
            return self._finish()
        if self.lost:
            self._try_again()
        else:
            self._guarded(self._listen if self._begun else self._begin)
        return self._told()

    def send(self, data: bytes) -> list[MonitorEvent]:
        """Send bytes.

        Raises:
            PortError: The port is lost, and not waited for.
        """
        self._sent_at = self.now

        def write() -> None:
            with losses(self.wire):
                self.wire.write(data)

        return self._do(write)

    def reset(self) -> list[MonitorEvent]:
        """Reset the chip into its firmware.

        Raises:
            PortError: The port is lost, and not waited for.
        """
        return self._do(lambda: self._reset(HARD_RESET), "reset", "reset")

    def loader(self) -> list[MonitorEvent]:
        """Reset the chip into its ROM loader.

        Raises:
            PortError: The port is lost, and not waited for.
        """
        sequence = (*approach_for(self.wire).sequences, HARD_RESET)[0]
        return self._do(lambda: self._reset(sequence), "reset into the ROM loader", "reset")

    def next_speed(self) -> list[MonitorEvent]:
        """Go on to the next speed, and stay there.

        Raises:
            PortError: The port is lost, and not waited for; or it does not take that speed.
        """
        baud = self._watch.next_speed()
        return self._do(lambda: self._change_speed(baud, chosen=True), f"{baud} baud from here on", "speed")

    def end(self, how: Ended = Ended.KEY) -> None:
        """Have it end with the next step; if it is to end already, that stays the reason."""
        self._ended = self._ended or how

    def result(self) -> MonitorResult:
        """What the run came to; one that is not over has been ended by hand.

        Nothing is read any more for that.
        """
        if not self.over:
            self.end()
            self._finish()
        ended = self._ended or Ended.KEY
        until = self._request.until
        ok = until is None or ended is Ended.UNTIL
        seconds = self.now
        fields = {
            "port": self.wire.name,
            "baud": self.baud,
            "seconds": round(seconds, 3),
            "ended": ended.value,
            "bytes": self.size,
            "log": self._request.log,
            "lines": self._lines,
            "notes": self._notes,
        }
        matched = "" if until is None else f"{'a' if ok else 'no'} line matched {until.pattern}"
        return MonitorResult(
            ended=ended,
            baud=self.baud,
            seconds=seconds,
            size=self.size,
            ok=ok,
            document=document("monitor", ok=ok, results=[fields]),
            words=Words(
                verdict=matched or _END_WORDS[ended],
                tone=Tone.PLAIN if ok else Tone.WRONG,
                rows=(Row("came", in_bytes(self.size)), Row("time", duration(seconds))),
            ),
        )

    def _do(self, work: Callable[[], None], words: str = "", kind: str = "") -> list[MonitorEvent]:
        """Do something with the port, if it is there, and say so before."""
        if self.lost or self.over:
            return []
        if words:
            self._say(words, kind)
        self._guarded(work)
        return self._told()

    # Beginning, end, and a port that goes away.

    def _begin(self) -> None:
        self._begun = True
        self._set_baud(self._watch.baud)
        if self._request.reset:
            self._reset(HARD_RESET, forget=True)
        self._listen()

    def _has_ended(self) -> bool:
        seconds = self._request.seconds
        if self._ended is None:
            if self._looked_at >= self._until_at:
                self._ended = Ended.UNTIL
            elif seconds is not None and self._looked_at >= seconds:
                # A prompt may have come just now.
                self._ended = Ended.SECONDS if self._until_at == inf else Ended.UNTIL
        return self._ended is not None

    def _finish(self) -> list[MonitorEvent]:
        self.over = True
        self._process(self._watch.close(self.now))
        self._happened.append(MonitorEnd(self.now, self._ended or Ended.KEY))
        return self._told()

    def _told(self) -> list[MonitorEvent]:
        """What has happened since the last time; what went wrong comes behind it."""
        happened, self._happened = self._happened, []
        if self._failure is not None and not happened:
            raise self._failure
        return happened

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do something with the port; where that is lost, wait for it."""
        try:
            work()
        except PortError as error:
            if not self._request.reconnect or not _may_come_back(error):
                self._failure = error
                return
            self.lost = True
            # What was left of a line has no end any more.
            self._process(self._watch.speed_is(self._watch.baud, self.now))
            self._happened.append(PortChange(self.now, there=False))
            self._say("the port is lost; waiting for it to come back")

    def _try_again(self) -> None:
        """Look whether the port can be opened again."""
        self.wire.clock.sleep(_RETRY)
        self.idle = _RETRY
        self._looked_at = self.now
        try:
            with losses(self.wire):
                self.wire.reopen()
            self._set_baud(self._watch.baud)
        except OneTimePortError as error:
            self._failure = error
        except PortError:
            pass
        else:
            self.lost = False
            self._happened.append(PortChange(self.now, there=True))
            self._say("the port is back")
            # Whoever pulls the plug takes the power, too: the chip boots, at the speed of its ROM.
            self._guarded(lambda: self._process(self._watch.restart(self.now)))

    # From the chip.

    def _listen(self) -> None:
        self._looked_at = self.now
        data = self._waiting() or self._read(1, _GLANCE)
        if data:
            self._take(data)
            return
        self.idle = _GLANCE
        self._process(self._watch.pause(self._looked_at))

    def _waiting(self) -> bytes:
        return self._read(_AT_ONCE, 0)

    def _read(self, size: int, timeout: float) -> bytes:
        with losses(self.wire):
            return self.wire.read(size, timeout)

    def _take(self, data: bytes) -> None:
        self._on_bytes(data)
        self.size += len(data)
        self._traffic_at = self.now
        self._process(self._watch.feed(data, self.now))

    def _process(self, events: Iterable[WatchEvent]) -> None:
        """Tell what has happened, and change the speed where that is due, when all else is told."""
        speeds: list[WatchSpeed] = []
        for event in events:
            if isinstance(event, WatchSpeed):
                speeds.append(event)
                continue
            self._tell(event)
            if isinstance(event, WatchLine | WatchText):
                self._look_for(event)
        for speed in speeds if self._ended is None else ():
            self._tell(speed)
            self._change_speed(speed.baud)

    def _tell(self, event: WatchEvent) -> None:
        self._happened.append(event)
        if not self._request.keep:
            return
        if isinstance(event, WatchLine) and self._request.selection.takes(harmless(event.text)):
            self._lines.append(line_fields(event))
        elif isinstance(event, WatchNote):
            self._notes.append(note_fields(event))

    def _look_for(self, line: WatchLine | WatchText) -> None:
        """See whether this ends the run; the rest of such a line is waited for, though a prompt has none."""
        until = self._request.until
        if until is not None and until.search(harmless(line.text)):
            end = self._looked_at if isinstance(line, WatchLine) else self.now + _REST
            self._until_at = min(self._until_at, end)

    def _say(self, text: str, kind: str = "port") -> None:
        self._tell(WatchNote(self.now, kind, text))

    # Speeds and resets.

    def _set_baud(self, baud: int) -> None:
        if not self.wire.traits.baud:
            return
        try:
            with losses(self.wire):
                self.wire.set_baud(baud)
        except ValueError:
            raise PortError(
                "the port does not take this speed", source=self.wire.name, found=f"{baud} baud"
            ) from None

    def _change_speed(self, baud: int, *, chosen: bool = False) -> None:
        self._set_baud(baud)
        # What waits was heard at the speed of before.
        rest = self._waiting()
        if rest:
            self._take(rest)
        self._process(self._watch.speed_is(baud, self.now, chosen=chosen))

    def _reset(self, sequence: Sequence, *, forget: bool = False) -> None:
        """Play a sequence; at the start of a run what came before it is dropped while the chip is held."""
        if self.wire.traits.lines is Lines.NONE:
            self._say("DTR and RTS do not reach the chip by this port: reset it by hand")
            return
        self._process(self._watch.restart(self.now))
        if forget:
            play(Sequence(sequence.name, sequence.steps[:1]), self.wire)
            with losses(self.wire):
                self.wire.discard()
            sequence = Sequence(sequence.name, sequence.steps[1:])
        play(sequence, self.wire)


def _may_come_back(error: PortError) -> bool:
    """Whether a port is gone rather than taken, or wrong in another way."""
    return isinstance(error, LostPortError) and error.program is None
