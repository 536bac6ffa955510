"""Where the monitor's input comes from: the keys of a terminal, lines of a pipe, or nowhere.

Terminal modes and the keys of Windows are pyserial's (serial.tools.miniterm).  What the keys mean is in
imgtool.cli.input.typing_keys.  Linux is where this is tried; for macOS and Windows it keeps to what pyserial
documents.
"""

from __future__ import annotations

import codecs
import os
import queue
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Keys", "Lines", "input_of"]

_AT_ONCE: Final = 1024


class Keys:
    """The keys of a terminal, one by one and without echo, while it is a context."""

    def __init__(self) -> None:
        from serial.tools.miniterm import Console

        self._console: Any = Console()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self) -> Self:
        self._console.setup()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # the terminal may be gone
            self._console.cleanup()

    def poll(self) -> str:
        """What was pressed since the last call."""
        if sys.platform == "win32":
            import msvcrt

            pressed = ""
            while msvcrt.kbhit():
                pressed += self._console.getkey()
            return pressed
        import select

        if not select.select([self._console.fd], [], [], 0)[0]:
            return ""
        return self._decoder.decode(os.read(self._console.fd, _AT_ONCE))


class Lines:
    """The lines of a pipe, a file, or a terminal that edits its lines itself.

    Args:
        descriptor: Where to read; None for nowhere.

    Attributes:
        ended: Whether there will be no more.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._read: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._rest = b""
        self._lines: list[bytes] = []
        self._over = descriptor is None
        if descriptor is not None:
            # A thread, as Windows cannot wait for pipes.  It holds no lock when the process ends.
            threading.Thread(target=self._follow, args=(descriptor,), daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether there will be no more lines."""
        self._take()
        return self._over and not self._lines

    def next(self) -> bytes | None:
        """The next line without its end; None if there is none now."""
        self._take()
        return self._lines.pop(0) if self._lines else None

    def _follow(self, descriptor: int) -> None:
        while True:
            try:
                data = os.read(descriptor, _AT_ONCE)
            except OSError:
                data = b""
            self._read.put(data)
            if not data:
                return

    def _take(self) -> None:
        while not self._over:
            try:
                data = self._read.get_nowait()
            except queue.Empty:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            if not data and self._rest:
                lines, self._rest = [self._rest], b""
            self._lines += [line.removesuffix(b"\r") for line in lines]
            self._over = not data


def input_of(*, keys: bool) -> Keys | Lines:
    """The input of this process.

    Args:
        keys: Whether keys are wanted, where it is a terminal.
    """
    stdin = sys.stdin  # None for a process that was started without one
    try:
        descriptor = stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return Lines(None)
    if not stdin.isatty():
        return Lines(descriptor)
    if _in_background(descriptor):
        return Lines(None)
    return Keys() if keys else Lines(descriptor)


def _in_background(terminal: int) -> bool:
    """Whether reading from the terminal would stop the process."""
    if sys.platform == "win32":
        return False
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # not the terminal that controls it
        return False
