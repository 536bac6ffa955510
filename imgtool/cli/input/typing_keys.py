"""What the keys come to that are typed into the monitor: bytes to send, or something to do.

Values only; where keys come from is in imgtool.cli.input.keyboard.  A line is edited here and sent when it is
done, or every key is sent at once.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

__all__ = ["HELP", "Action", "Typing"]

# Keys that send several characters, ECMA-48 5.4 and the application mode of cursor keys.
_KEY: Final = re.compile(r"\x1b\[[0-?]{0,16}[ -/]{0,4}[@-~]|\x1bO.|.", re.DOTALL)
_UP: Final = ("\x1b[A", "\x1bOA")
_DOWN: Final = ("\x1b[B", "\x1bOB")
_BACK: Final = ("\x7f", "\b")
_ENTER: Final = ("\r", "\n")
_CTRL_C: Final = "\x03"
_CTRL_U: Final = "\x15"
_MENU: Final = "\x14"  # Ctrl-T
_END: Final = "\x1d"  # Ctrl-]
_HISTORY: Final = 200


class Action(Enum):
    """Something to do other than to send."""

    END = "end"
    INTERRUPT = "interrupt"
    RESET = "reset"
    LOADER = "loader"
    SPEED = "speed"
    HELP = "help"


_MENU_ACTIONS: Final = {
    "r": Action.RESET,
    "p": Action.LOADER,
    "b": Action.SPEED,
    "h": Action.HELP,
    "q": Action.END,
}
_MENU_BYTES: Final = {"c": b"\x03", "t": b"\x14", "]": b"\x1d"}

HELP: Final = (
    "Ctrl-]         ends the monitor; Ctrl-C too, with exit code 130",
    "Ctrl-T r       resets the chip",
    "Ctrl-T p       resets it into its ROM loader, GPIO0 low",
    "Ctrl-T b       goes on to the next speed, and stays there",
    "Ctrl-T c t ]   sends Ctrl-C, Ctrl-T, Ctrl-]",
    "Ctrl-T h       this help",
)
"""What the keys do, a line for each."""


class Typing:
    """Takes what is typed.

    Args:
        eol: What ends a line that is sent.
        at_once: Whether each key is sent when it is pressed, rather than a line when it is done.

    Attributes:
        draft: The line that is being typed.
    """

    def __init__(self, eol: bytes, *, at_once: bool = False) -> None:
        self.draft = ""
        self._eol = eol
        self._at_once = at_once
        self._menu = False
        self._history: list[str] = []
        self._place = 0

    def press(self, text: str) -> list[Action | bytes]:
        """Take keys as a terminal gives them; what is to be done and sent, in order."""
        results = (self._key(match[0]) for match in _KEY.finditer(text))
        return [result for result in results if result]

    def _key(self, key: str) -> Action | bytes | None:
        if self._menu:
            self._menu = False
            # Ctrl-T Ctrl-R as well: the finger is on the key.
            letter = chr(ord(key) | 0x60) if len(key) == 1 and "\x01" <= key <= "\x1a" else key.lower()
            letter = "]" if key == _END else letter
            return _MENU_BYTES.get(letter) or _MENU_ACTIONS.get(letter, Action.HELP)
        if key == _MENU:
            self._menu = True
            return None
        if key in (_END, _CTRL_C):
            return Action.END if key == _END else Action.INTERRUPT
        return self._send(key) if self._at_once else self._edit(key)

    def _send(self, key: str) -> bytes:
        if key in _ENTER:
            return self._eol
        return b"\b" if key in _BACK else key.encode("utf-8", "replace")

    def _edit(self, key: str) -> bytes | None:
        if key in _ENTER:
            line, self.draft = self.draft, ""
            if line and self._history[-1:] != [line]:
                self._history = [*self._history, line][-_HISTORY:]
            self._place = len(self._history)
            return line.encode("utf-8", "replace") + self._eol
        if key in _BACK:
            self.draft = self.draft[:-1]
        elif key == _CTRL_U:
            self.draft = ""
        elif key in _UP + _DOWN:
            self._place = min(max(self._place + (-1 if key in _UP else 1), 0), len(self._history))
            self.draft = self._history[self._place] if self._place < len(self._history) else ""
        elif key == "\t" or key.isprintable():
            self.draft += key
        elif len(key) == 1 and key != "\x1b":
            # MicroPython goes by Ctrl-A, Ctrl-B, Ctrl-D and Ctrl-E.
            return key.encode()
        return None
