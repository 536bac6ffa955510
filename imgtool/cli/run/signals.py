"""How a process ends that is told to: by Ctrl-C at any time, by SIGTERM, by a terminal that is closed.

Not what a command does about Ctrl-C while it works on boards (boards.py).  Imported before all else, so that
Ctrl-C counts as early as can be.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Final, NoReturn

__all__ = ["INTERRUPTED", "EndedBySignal", "end_at_once", "end_by", "end_in_order"]

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells count it."""

_SOON: Final = 0.01  # s
_ENDINGS: Final = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class EndedBySignal(BaseException):
    """A signal ends the process; raised where that was, so that what was begun is cleaned up.

    Attributes:
        number: Which.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_at_once() -> None:
    """Have Ctrl-C end the process without a word: while nothing is begun, and when all is done."""
    _handle("SIGINT", _leave, signal.default_int_handler)


def end_in_order() -> None:
    """Have Ctrl-C raise ``KeyboardInterrupt``, and what else ends a process :class:`EndedBySignal`."""
    _handle("SIGINT", signal.default_int_handler, _leave)
    for name in _ENDINGS:
        _handle(name, _raise, signal.SIG_DFL)
    sys.unraisablehook = _unraised


def end_by(number: int) -> NoReturn:
    """End as the signal would have, for who started the process to see."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def _handle(name: str, handler: object, instead_of: object) -> None:
    """Set a handler, where the signal is not ignored (as under nohup), and nobody else has set one."""
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(number) is instead_of:
        signal.signal(number, handler)  # type: ignore[arg-type]


def _leave(*_: object) -> NoReturn:
    os._exit(INTERRUPTED)


def _unraised(what: sys.UnraisableHookArgs) -> None:
    """Send a signal once more that came where nothing can be raised, as in the clean-up of an import."""
    ended = what.exc_value
    if not isinstance(ended, KeyboardInterrupt | EndedBySignal):
        sys.__unraisablehook__(what)
        return
    number = signal.SIGINT
    if isinstance(ended, EndedBySignal):
        number = signal.Signals(ended.number)
        signal.signal(number, _raise)
    again = threading.Timer(_SOON, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


def _raise(number: int, _frame: object) -> NoReturn:
    # Once is enough: what cleans up is not to be disturbed.
    for name in _ENDINGS:
        other = getattr(signal, name, None)
        if other is not None:
            signal.signal(other, signal.SIG_IGN)
    raise EndedBySignal(number)
