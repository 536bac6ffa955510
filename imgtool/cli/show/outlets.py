"""Stdout and stderr as this process has them: closed, full, or with nobody who reads them any more.

Not what is written there.  Whatever becomes of an answer on its way, the work goes on, so that a board is not
left half written, and the exit code is that of the work: imgtool.cli.app says what is added to that.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Outlet", "OutputError", "is_gone", "open_outlets"]

_GONE: Final = (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN)
_STANDARD: Final = (0, 1, 2)


class OutputError(Exception):
    """What is said reaches nobody any more, and saying it is all that the run is for.

    Attributes:
        failure: Why.
        gone: Whether the reader went away, as ``head`` does; else the output cannot be written.
    """

    def __init__(self, failure: OSError) -> None:
        super().__init__(failure.strerror)
        self.failure = failure
        self.gone = is_gone(failure)


def is_gone(failure: OSError) -> bool:
    """Whether an output failed because its reader went away."""
    return failure.errno in _GONE


class Outlet(io.RawIOBase):
    """A stream that takes everything: once it cannot be written, what comes is dropped.

    Args:
        stream: The stream; its own buffer is passed by.

    Attributes:
        failure: Why it cannot be written; None while it can.
        ends_run: Whether a failure is raised, as :class:`OutputError`, and not only noted.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__()
        # It would close what is below when nobody has it any more.
        self._stream = stream
        # Without buffering, python -u, the buffer is the raw stream.
        self._raw: Any = getattr(stream.buffer, "raw", stream.buffer)
        self.failure: OSError | None = None
        self.ends_run = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what can be written; all counts as written."""
        view = memoryview(data).cast("B")
        left = view
        while left and self.failure is None:
            try:
                left = left[self._raw.write(left) or self._wait() :]
            except OSError as error:
                self.failure = error
                if self.ends_run:
                    raise OutputError(error) from None
        return len(view)

    def _wait(self) -> int:
        """Wait until a stream that does not wait by itself, as a program may have left it, takes more."""
        import select

        select.select((), (self.fileno(),), ())
        return 0

    def fileno(self) -> int:
        """The descriptor."""
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return bool(self._raw.isatty())

    def writable(self) -> bool:
        """Yes."""
        return True


def open_outlets() -> tuple[Outlet | None, Outlet | None]:
    """Have this process write through outlets; one that it was started without leads nowhere.

    Returns:
        Those of stdout and stderr; None where a stream is none of the system's.
    """
    _fill_descriptors()
    sys.stdout, out = _through_outlet(sys.stdout or _nowhere(), at_once=False)
    sys.stderr, err = _through_outlet(sys.stderr or _nowhere(), at_once=True)
    return out, err


def _fill_descriptors() -> None:
    """See that 0, 1 and 2 are taken: a file or a port that got one of them would be written into."""
    with suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) in _STANDARD:
            pass
        os.close(number)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _through_outlet(stream: TextIO, *, at_once: bool) -> tuple[TextIO, Outlet | None]:
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None
    outlet = Outlet(stream)
    through = io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=stream.encoding,
        # A name that the terminal cannot show is no reason to stop.
        errors="backslashreplace",
        line_buffering=at_once or stream.line_buffering or stream.write_through,
    )
    return through, outlet
