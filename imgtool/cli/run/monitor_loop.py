"""The loop of a monitor at a terminal: steps it, shows what happens, does what keys and lines of a pipe say.

What a step does is imgtool.engine.jobs.monitor's, what is shown imgtool.cli.show.monitor_view's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.cli.input.keyboard import Keys, Lines
from imgtool.cli.input.typing_keys import HELP, Action
from imgtool.engine.jobs.monitor import Ended

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.cli.input.typing_keys import Typing
    from imgtool.cli.show.monitor_view import ScreenView, View
    from imgtool.engine.jobs.monitor import Monitor, MonitorEvent

__all__ = ["MonitorLoop"]

_WITHOUT_PORT: Final = (Action.END, Action.INTERRUPT, Action.HELP)


@dataclass(frozen=True, kw_only=True)
class MonitorLoop:
    """One run at a terminal, or at a pipe.

    Attributes:
        monitor: What is stepped.
        views: Who is shown what happens.
        screen: The one of them that shows what is typed too; None where nobody looks.
        source: The input.
        typing: What keys come to.
        eol: What stands behind each line of a pipe.
        echo: Whether what is sent is shown.
        until_eof: Whether it ends when the input does, and the chip has answered.
        paced: Whether the time of the port has to be held back to that of people.
    """

    monitor: Monitor
    views: Sequence[View]
    screen: ScreenView | None
    source: Keys | Lines
    typing: Typing
    eol: bytes
    echo: bool = False
    until_eof: bool = False
    paced: bool = False

    def run(self) -> None:
        """Go on until it ends.

        Raises:
            KeyboardInterrupt: The user has interrupted it by a key.
            PortError: The port is lost, and not waited for; or it does not take a speed.
            UsageError: The log cannot be written.
        """
        while True:
            self._show(self.monitor.step())
            if self.monitor.over:
                return
            if self.paced:
                time.sleep(self.monitor.idle)
            if isinstance(self.source, Keys):
                self._obey(self.source.poll())
            elif self.monitor.ready:
                self._pass_on(self.source)
            if self.screen is not None:
                self.screen.flush()

    def _show(self, events: Iterable[MonitorEvent]) -> None:
        for event in events:
            for view in self.views:
                view.show(event)

    def _obey(self, keys: str) -> None:
        """Do what the keys say; without a port only what needs none."""
        if not keys:
            return
        for result in self.typing.press(keys):
            if self.monitor.lost and result not in _WITHOUT_PORT:
                continue
            if isinstance(result, bytes):
                self._send(result)
            else:
                self._do(result)
        if self.screen is not None:
            self.screen.draft(self.typing.draft)

    def _do(self, action: Action) -> None:
        if action is Action.INTERRUPT:
            raise KeyboardInterrupt
        if action is Action.END:
            self.monitor.end()
        elif action is Action.HELP and self.screen is not None:
            self.screen.lines(HELP)
        elif action is Action.RESET:
            self._show(self.monitor.reset())
        elif action is Action.LOADER:
            self._show(self.monitor.loader())
        elif action is Action.SPEED:
            self._show(self.monitor.next_speed())

    def _pass_on(self, source: Lines) -> None:
        """Send the next line of a pipe: the chip has had the time for the one before."""
        line = source.next()
        if line is not None:
            self._send(line + self.eol)
        elif source.ended and self.until_eof and self.monitor.calm:
            self.monitor.end(Ended.EOF)

    def _send(self, data: bytes) -> None:
        if self.echo and self.screen is not None:
            self.screen.echo(data.decode("utf-8", "backslashreplace").rstrip("\r\n"))
        self._show(self.monitor.send(data))
