"""Many boards side by side: a thread each, a table at the end, a log with a row a board.

What is done to a board is handed in; nothing here knows of images.
"""

from __future__ import annotations

import csv
import io
import json
import queue
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from imgtool.errors import ImgtoolError, UsageError
from imgtool.phrase import Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["BoardLog", "BoardOutcome", "LogRow", "side_by_side"]

_T = TypeVar("_T")

_POLL: Final = 0.1  # s
_FORMULAS: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # and the wide ones
_BREAKS: Final = str.maketrans("\t\r\n", "   ")


@dataclass(frozen=True)
class BoardOutcome(Generic[_T]):
    """What became of a board: a result or an error.

    Attributes:
        port: Its port.
        result: What the work returned.
        error: What it raised instead: an ``ImgtoolError``, or ``KeyboardInterrupt``.
    """

    port: str
    result: _T | None = None
    error: BaseException | None = None


def side_by_side(
    ports: Sequence[str], work: Callable[[str], _T], stop: Callable[[], None]
) -> list[BoardOutcome[_T]]:
    """Do the work at every port, in a thread each; one that fails leaves the others alone.

    Args:
        ports: The ports.
        work: What to do at a port.
        stop: Called at Ctrl-C; has the work end soon with ``KeyboardInterrupt``.  A second one does not wait.

    Returns:
        In the order of the ports.

    Raises:
        BaseException: What the work raised that is a bug; when all have ended.
    """
    ended: queue.SimpleQueue[BoardOutcome[_T]] = queue.SimpleQueue()

    def run(port: str) -> None:
        try:
            ended.put(BoardOutcome(port, result=work(port)))
        except BaseException as error:  # noqa: BLE001 - goes to the thread that waits
            ended.put(BoardOutcome(port, error=error))

    with _ctrl_c(stop):
        for port in ports:
            threading.Thread(target=run, args=(port,), daemon=True).start()
        outcomes: dict[str, BoardOutcome[_T]] = {}
        while len(outcomes) < len(ports):
            # Without a limit Ctrl-C would not be heard on Windows.
            with suppress(queue.Empty):
                outcome = ended.get(timeout=_POLL)
                outcomes[outcome.port] = outcome
    for port in ports:
        error = outcomes[port].error
        if error is not None and not isinstance(error, ImgtoolError | KeyboardInterrupt):
            raise error
    return [outcomes[port] for port in ports]


@contextmanager
def _ctrl_c(stop: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C call this; once more it interrupts as ever.

    As a handler of the signal: an exception could come between any two lines, and lose a board.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no signal comes here
        return

    def handle(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class LogRow(NamedTuple):
    """A row of the log.

    Attributes:
        time: When the board was done, ISO 8601 with the offset from UTC.
        port: Its port.
        mac: Its MAC address; empty where it is not known.
        flash_id: Its flash ID, hex.
        sha256: Digest of what was written, with addresses.
        stub: The flasher stub.
        verified: ``digest``, ``readback``, ``no``; empty where nothing was written.
        result: ``ok``, or what went wrong.
    """

    time: str
    port: str
    mac: str
    flash_id: str
    sha256: str
    stub: str
    verified: str
    result: str


class BoardLog:
    """A file that gets a row for each board, at once when that is done; rows are added at its end.

    Args:
        path: Where; ``.csv`` or ``.jsonl`` says how.

    Raises:
        UsageError: It cannot be written, or is neither.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._as_json = path.suffix.lower() == ".jsonl"
        if path.suffix.lower() not in (".csv", ".jsonl"):
            raise UsageError("not a log", expected="a name that ends in .csv or .jsonl", found=Name(path))
        # Now, and not after an hour, is the time to hear that it cannot be written.
        self._append("")

    def add(self, row: LogRow) -> None:
        """Add a row.

        Raises:
            UsageError: It cannot be written.
        """
        with self._lock:
            self._append(json.dumps(row._asdict()) + "\n" if self._as_json else _csv_line(row))

    def _append(self, text: str) -> None:
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                if text and not self._as_json and not file.tell():
                    text = _csv_line(LogRow._fields) + text
                file.write(text)
        except (OSError, ValueError) as error:
            from imgtool.cli.input.files import unusable

            raise unusable(self._path, "written", error) from None


def _csv_line(row: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(map(_plain_cell, row))
    return line.getvalue()


def _plain_cell(text: str) -> str:
    """A cell that a spreadsheet takes for text: with a quotation mark before it where it would calculate.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    line = text.translate(_BREAKS)
    return f"'{line}" if line.lstrip().startswith(_FORMULAS) else line
