"""The run of a monitor: from the port to the lines that are shown, from the keys to the port.

What lines and notes there are is imgtool.operations.watching.stream's, what is shown
imgtool.cli.show.monitor_view's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.cli.input.keyboard import Keys, Lines
from imgtool.cli.input.typing_keys import HELP, Action
from imgtool.device import reset
from imgtool.device.port_errors import OneTimePortError
from imgtool.device.wire import Lines as WireLines
from imgtool.device.wire import losses
from imgtool.engine.jobs.monitor import harmless
from imgtool.errors import PortError
from imgtool.operations.watching.stream import WatchLine, WatchNote, WatchSpeed, WatchText

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Sequence

    from imgtool.cli.input.typing_keys import Typing
    from imgtool.cli.show.monitor_view import ScreenView
    from imgtool.device.wire import Wire
    from imgtool.engine.jobs.monitor import View
    from imgtool.operations.watching.stream import Watch, WatchEvent

__all__ = ["Ended", "MonitorPlan", "MonitorRun"]

_GLANCE: Final = 0.01  # s that a read waits for bytes, before keys are looked at
_AT_ONCE: Final = 4096
_REST: Final = 0.1  # s for the rest of a line
_RETRY: Final = 0.5  # s between two attempts to open a port that was lost
# A line of a pipe is sent when the chip has been quiet for so long, or has been sent none for so long.
_CALM: Final = 0.3
_PATIENCE: Final = 3.0


class Ended(Enum):
    """Why a monitor ended."""

    KEY = "key"
    SECONDS = "seconds"
    UNTIL = "until"
    EOF = "eof"


@dataclass(frozen=True, kw_only=True)
class MonitorPlan:
    """What a monitor is to do.

    Attributes:
        eol: What stands behind each line of a pipe.
        reset: Whether the chip is reset at the start.
        reconnect: Whether a port that is lost is waited for.
        seconds: When it ends; None for never.
        until: What a line says at which it ends; None for nothing.
        until_eof: Whether it ends when the input does, and the chip has answered.
        paced: Whether the time of the port has to be held back to that of people.
        log: Takes what comes, byte by byte.
    """

    eol: bytes
    reset: bool
    reconnect: bool
    seconds: float | None
    until: re.Pattern[str] | None
    until_eof: bool
    paced: bool
    log: Callable[[bytes], None]


class _Hands(NamedTuple):
    """The keys of a terminal, and what they come to."""

    source: Keys
    typing: Typing


class MonitorRun:
    """One run.

    Args:
        wire: The open port.
        watch: What makes lines of bytes.
        plan: What is to be done.
        views: Who is shown what happens.
        screen: The one of them that shows what is typed too; None where nobody looks.

    Attributes:
        wire: The port.
        size: How many bytes have come.
    """

    def __init__(
        self, wire: Wire, watch: Watch, plan: MonitorPlan, views: Sequence[View], screen: ScreenView | None
    ) -> None:
        self.wire = wire
        self.size = 0
        self._watch = watch
        self._plan = plan
        self._views = views
        self._screen = screen
        self._start = wire.clock.monotonic()
        # Silence is judged by this and not by the time of now: a busy machine may not have let us look.
        self._looked_at = 0.0
        self._traffic_at = 0.0
        self._line_at = 0.0
        self._until_at = inf
        self._ended: Ended | None = None
        self._echo = False
        self._hands: _Hands | Lines = Lines(None)

    @property
    def now(self) -> float:
        """Seconds since the monitor began."""
        return self.wire.clock.monotonic() - self._start

    @property
    def baud(self) -> int | None:
        """The speed of the line; None where it is a server's."""
        return self._watch.baud if self.wire.traits.baud else None

    def run(self, source: Keys | Lines, typing: Typing, *, echo: bool) -> Ended:
        """Go on until it ends.

        Args:
            source: The input.
            typing: What keys come to.
            echo: Whether what is sent is shown.

        Raises:
            KeyboardInterrupt: The user has interrupted it by a key.
            PortError: The port is lost, and not waited for; or it does not take a speed.
            UsageError: The log cannot be written.
        """
        self._echo = echo
        self._hands = _Hands(source, typing) if isinstance(source, Keys) else source
        self._guarded(self._begin)
        while (ended := self._end()) is None:
            self._guarded(self._listen)
            self._guarded(self._use_hands)
            if self._screen is not None:
                self._screen.flush()
        self._process(self._watch.close(self.now))
        return ended

    def close(self) -> None:
        """Close the port."""
        self.wire.close()

    def _end(self) -> Ended | None:
        if self._ended is None:
            if self._looked_at >= self._until_at:
                self._ended = Ended.UNTIL
            elif self._plan.seconds is not None and self._looked_at >= self._plan.seconds:
                # A prompt may have come just now.
                self._ended = Ended.SECONDS if self._until_at == inf else Ended.UNTIL
        return self._ended

    def _guarded(self, step: Callable[[], None]) -> None:
        """Do something with the port; where that is lost, wait for it."""
        try:
            step()
        except PortError as error:
            if not self._plan.reconnect or "program" in error.data or error.data.get("reason") != "lost":
                raise
            self._come_back()

    def _begin(self) -> None:
        self._take_up()
        if self._plan.reset:
            self._reset(reset.HARD_RESET, forget=True)

    def _take_up(self) -> None:
        """Set an open port as a monitor needs it."""
        self._set_baud(self._watch.baud)

    # From the chip.

    def _listen(self) -> None:
        self._looked_at = self.now
        data = self._waiting() or self._read(1, _GLANCE)
        if data:
            self._take(data)
            return
        self._process(self._watch.pause(self._looked_at))
        if self._plan.paced:
            time.sleep(_GLANCE)

    def _waiting(self) -> bytes:
        return self._read(_AT_ONCE, 0)

    def _read(self, size: int, timeout: float) -> bytes:
        with losses(self.wire):
            return self.wire.read(size, timeout)

    def _take(self, data: bytes) -> None:
        self._plan.log(data)
        self.size += len(data)
        self._traffic_at = self.now
        self._process(self._watch.feed(data, self.now))

    def _process(self, events: Iterable[WatchEvent]) -> None:
        """Show what has happened, and change the speed where that is due, when all else is shown."""
        speeds: list[WatchSpeed] = []
        for event in events:
            if isinstance(event, WatchSpeed):
                speeds.append(event)
                continue
            self._show(event)
            if isinstance(event, WatchLine | WatchText):
                self._look_for(event)
        for speed in speeds if self._ended is None else ():
            self._show(speed)
            self._change_speed(speed.baud)

    def _show(self, event: WatchEvent) -> None:
        for view in self._views:
            view.show(event)

    def _look_for(self, line: WatchLine | WatchText) -> None:
        """See whether this ends the run; the rest of such a line is waited for, though a prompt has none."""
        if self._plan.until is not None and self._plan.until.search(harmless(line.text)):
            end = self._looked_at if isinstance(line, WatchLine) else self.now + _REST
            self._until_at = min(self._until_at, end)

    def _say(self, text: str, kind: str = "port") -> None:
        self._show(WatchNote(self.now, kind, text))

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

    def _reset(self, sequence: reset.Sequence, *, forget: bool = False) -> None:
        """Play a sequence; at the start of a run what came before it is dropped while the chip is held."""
        if self.wire.traits.lines is WireLines.NONE:
            self._say("DTR and RTS do not reach the chip by this port: reset it by hand")
            return
        self._process(self._watch.restart(self.now))
        if forget:
            reset.play(reset.Sequence(sequence.name, sequence.steps[:1]), self.wire)
            with losses(self.wire):
                self.wire.discard()
            sequence = reset.Sequence(sequence.name, sequence.steps[1:])
        reset.play(sequence, self.wire)

    def _come_back(self) -> None:
        """Wait until the port can be opened again, or the user does not want to."""
        # What was left of a line has no end any more.
        self._process(self._watch.speed_is(self._watch.baud, self.now))
        self._say("the port is lost; waiting for it to come back")
        while self._end() is None:
            if self._screen is not None:
                self._screen.flush()
            self.wire.clock.sleep(_RETRY)
            if self._plan.paced:
                time.sleep(_RETRY)
            self._looked_at = self.now
            if isinstance(self._hands, _Hands):
                self._obey(self._hands, sending=False)
            try:
                with losses(self.wire):
                    self.wire.reopen()
                self._take_up()
            except OneTimePortError:
                raise
            except PortError:
                continue
            self._say("the port is back")
            return

    # To the chip.

    def _use_hands(self) -> None:
        if isinstance(self._hands, _Hands):
            self._obey(self._hands)
        else:
            self._pass_on(self._hands)

    def _obey(self, hands: _Hands, *, sending: bool = True) -> None:
        """Do what the keys say; without a port only what needs none."""
        keys = hands.source.poll()
        if not keys:
            return
        for result in hands.typing.press(keys):
            if not isinstance(result, bytes):
                if sending or result in (Action.END, Action.INTERRUPT, Action.HELP):
                    self._do(result)
            elif sending:
                self._send(result)
        if self._screen is not None:
            self._screen.draft(hands.typing.draft)

    def _do(self, action: Action) -> None:
        if action is Action.INTERRUPT:
            raise KeyboardInterrupt
        if action is Action.END:
            self._ended = Ended.KEY
        elif action is Action.HELP and self._screen is not None:
            self._screen.lines(HELP)
        elif action is Action.RESET:
            self._say("reset", "reset")
            self._reset(reset.HARD_RESET)
        elif action is Action.LOADER:
            self._say("reset into the ROM loader", "reset")
            self._reset((*reset.approach_for(self.wire).sequences, reset.HARD_RESET)[0])
        elif action is Action.SPEED:
            baud = self._watch.next_speed()
            self._say(f"{baud} baud from here on", "speed")
            self._change_speed(baud, chosen=True)

    def _pass_on(self, source: Lines) -> None:
        """Send the next line of a pipe, when the chip has had the time for the one before."""
        quiet = self._looked_at - max(self._traffic_at, self._line_at)
        if quiet < _CALM and self._looked_at - self._line_at < _PATIENCE:
            return
        line = source.next()
        if line is not None:
            self._line_at = self.now
            self._send(line + self._plan.eol)
        elif source.ended and self._plan.until_eof and quiet >= _CALM:
            self._ended = self._ended or Ended.EOF

    def _send(self, data: bytes) -> None:
        if self._echo and self._screen is not None:
            self._screen.echo(data.decode("utf-8", "backslashreplace").rstrip("\r\n"))
        with losses(self.wire):
            self.wire.write(data)
