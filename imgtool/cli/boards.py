"""Many boards side by side: a thread each, a table at the end, a log with a row a board.

What is done to a board is handed in; nothing here knows of images.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from imgtool.cli.arguments import UsageError
from imgtool.errors import ImgtoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["BoardLog", "LogRow", "Outcome", "side_by_side"]

_T = TypeVar("_T")

_POLL: Final = 0.1  # s; a join without a limit would not be interrupted by Ctrl-C on Windows


@dataclass(frozen=True)
class Outcome(Generic[_T]):
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
) -> list[Outcome[_T]]:
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
    outcomes: dict[str, Outcome[_T]] = {}

    def run(port: str) -> None:
        try:
            outcomes[port] = Outcome(port, result=work(port))
        except BaseException as error:  # noqa: BLE001 - goes to the thread that waits
            outcomes[port] = Outcome(port, error=error)

    threads = [threading.Thread(target=run, args=(port,), daemon=True) for port in ports]
    for thread in threads:
        thread.start()
    _wait(threads, stop)
    for port in ports:
        error = outcomes[port].error
        if error is not None and not isinstance(error, ImgtoolError | KeyboardInterrupt):
            raise error
    return [outcomes[port] for port in ports]


def _wait(threads: Sequence[threading.Thread], stop: Callable[[], None]) -> None:
    """Wait for all threads; Ctrl-C has them end, and once more leaves them where they are."""
    stopping = False
    while True:
        try:
            alive = [thread for thread in threads if thread.is_alive()]
            if not alive:
                return
            alive[0].join(_POLL)
        except KeyboardInterrupt:
            if stopping:
                raise
            stopping = True
            stop()


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
            raise UsageError("not a log", expected="a name that ends in .csv or .jsonl", found=str(path))
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
            from imgtool.cli.files import reason_of

            raise UsageError(f"{self._path} cannot be written: {reason_of(error)}") from None


def _csv_line(row: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row)
    return line.getvalue()
