"""A virtual chip in a process of its own, and esptool as its client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.support import PATIENCE

if TYPE_CHECKING:
    from types import TracebackType

# esptool waits 0.1 s for the answer to a SYNC, 0.2 s for that to MEM_END and 3 s for most others: plenty for
# a chip, and not for a virtual one on a busy machine.  It still ends by itself before it is given up.
_ESPTOOL_LIMITS: Final = f"""[esptool]
timeout = {PATIENCE / 5}
mem_end_rom_timeout = {PATIENCE / 5}
sync_timeout = {PATIENCE / 60}
"""


@dataclass
class Device:
    """``imgtool simulate`` as a context: it runs inside, and its report is read at the end.

    Attributes:
        folder: Where its files are.
        listen: Its ``--listen``.
        options: What else it is given.
        content: What its flash holds at first; erased where None.
    """

    folder: Path
    listen: str = "tcp://127.0.0.1:0"
    options: tuple[str, ...] = ()
    content: bytes | None = None
    size: str = "1MB"
    report: dict[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def flash(self) -> Path:
        return self.folder / "flash.bin"

    def __enter__(self) -> Self:
        if self.content is not None:
            self.flash.write_bytes(self.content)
        words = ["--listen", self.listen, "--flash", str(self.flash), "--flash-size", self.size]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "imgtool", "simulate", *words, "--report", "report.json", *self.options],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.process.communicate()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        _, self.said = self.process.communicate(timeout=PATIENCE)
        assert kind is not None or self.process.returncode == 0, self.said
        if self.process.returncode == 0:
            self.report = json.loads((self.folder / "report.json").read_text())

    def esptool(self, *words: str | Path, code: int | None = 0) -> str:
        """Run esptool on it; its output, after a check of its exit code unless that is None."""
        limits = self.folder / "esptool.cfg"
        limits.write_text(_ESPTOOL_LIMITS)
        done = subprocess.run(
            [sys.executable, "-m", "esptool", "--chip", "esp8266", "--port", self.address, *words],
            cwd=self.folder,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "ESPTOOL_CFGFILE": str(limits)},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert code in {None, done.returncode}, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def now(self) -> bytes:
        """What its flash holds."""
        return self.flash.read_bytes()
