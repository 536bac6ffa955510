"""Runs a script as on a machine without threads, signals, terminals, locks and C code of others.

``python bare_platform.py SCRIPT [ARGUMENT...]``: what a browser's Python has not (threads, signals, C modules
that nobody built for it), and what other small machines lack besides, fails here as it does there.
"""

from __future__ import annotations

import runpy
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final, Never

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ABSENT: Final = frozenset(
    {
        "termios",
        "fcntl",
        "mmap",
        "msvcrt",
        "littlefs",
        "crcmod",
        "_crcfunext",
        "serial",
        "pty",
        "tty",
        "resource",
    }
)


class _Absent:
    """Finds the absent modules first, and fails."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse what is absent; leave everything else to the other finders."""
        del path, target
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def _no_thread(*_: object) -> Never:
    raise RuntimeError("can't start new thread")


def _no_signal(*_: object) -> Never:
    raise ValueError("signal only works in main thread of the main interpreter")


def make_bare() -> None:
    """Take it all away from this process."""
    for name in ABSENT & sys.modules.keys():
        del sys.modules[name]
    sys.meta_path.insert(0, _Absent())
    threading.Thread.start = _no_thread  # type: ignore[method-assign, assignment]
    signal.signal = _no_signal  # type: ignore[assignment]


if __name__ == "__main__":
    make_bare()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
