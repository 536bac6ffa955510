"""A board in memory that runs the firmware's own code, as an object: flash in, lines in, text and flash out.

Not a job with a verdict (try_boot.py, try_script.py): who has the board asks what he wants to know.  Times
are the chip's.  Radio, ADC, flash mode and flash speed are not there: docs/virtual/firmware.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from imgtool.errors import NotSaidError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.engine.inputs import FolderFile, InputFile

__all__ = ["VirtualBoard"]

_BOOT_S: Final = 120.0  # a first boot that makes a file system is silent for most of a minute
_ANSWER_S: Final = 10.0
_LINE_END: Final = "\r\n"
_PROMPT: Final = re.compile(r"(?:^|\n)> $")
_BANNER: Final = "ets Jan  8 2013"
_SHOWN: Final = 5
_LEAST: Final = 0x8_0000


class VirtualBoard:
    """A board, off at first.

    Args:
        flash: All of its flash, 512 KB or more.
        rom: A dump of the boot ROM; None for functions of imgtool's own.

    Raises:
        UsageError: No flash is of that size.
        FormatError: The ROM is no dump of it.
    """

    def __init__(self, flash: bytes, *, rom: bytes | None = None) -> None:
        from imgtool.chip import FLASH_SIZES  # noqa: PLC0415 - not for help
        from imgtool.flash_parts import default_part  # noqa: PLC0415
        from imgtool.virtual.board.boot_rom import BootRom  # noqa: PLC0415
        from imgtool.virtual.board.console import Console  # noqa: PLC0415
        from imgtool.virtual.board.firmware_chip import FirmwareChip  # noqa: PLC0415
        from imgtool.virtual.chip.machine import Setup  # noqa: PLC0415
        from imgtool.virtual.chip.store import MemoryStore  # noqa: PLC0415

        size = len(flash)
        if size < _LEAST or all(size != each.bytes for each in FLASH_SIZES):
            raise UsageError("no board has a flash of that size", found=f"{size:,} bytes")
        self._store = MemoryStore(size)
        self._store.write(0, flash)
        chip = FirmwareChip(
            Setup(default_part(size), self._store), None if rom is None else BootRom.parse(rom)
        )
        self._console = Console(chip)
        self._read = 0

    @classmethod
    def of(
        cls,
        *firmware: InputFile,
        size: str = "4MB",
        files: Sequence[FolderFile] | None = None,
        rom: bytes | None = None,
    ) -> VirtualBoard:
        """A board with a firmware on a flash that is otherwise new.

        Args:
            firmware: An image, or its halves.
            size: Name of the flash's size.
            files: What its file system is to have; None for no file system.
            rom: As for a flash.

        Raises:
            ImgtoolError: As ``fullimage`` does: it does not fit, or is no firmware.
        """
        from imgtool.engine.jobs.fullimage import FullImageRequest, fullimage  # noqa: PLC0415

        content = None if files is None else tuple(files)
        made = fullimage(FullImageRequest(files=firmware, size=size, output="flash.bin", content=content))
        return cls(made.outputs[0].data, rom=rom)

    # What it has -------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """All that it has said, lines ended by a line feed."""
        return self._console.said.decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    @property
    def seconds(self) -> float:
        """Time since it was made, by its clock."""
        return self._console.seconds

    @property
    def flash(self) -> bytes:
        """All of its flash, as it is now."""
        return self._store.read(0, self._store.size)

    @property
    def files(self) -> dict[str, bytes]:
        """The files in its file systems, by name."""
        from imgtool.operations.inspect.file_systems import file_systems  # noqa: PLC0415 - not for a boot

        return {file.path: file.data for system in file_systems(self.flash) for file in system.files}

    # What it does ------------------------------------------------------------------------------------------

    def boot(self, seconds: float = _BOOT_S) -> str:
        """Switch it on, or reset it, and wait for Lua's prompt; what it says until then.

        Raises:
            NotSaidError: The prompt does not come.
        """
        self.power_on()
        return self.prompt(seconds)

    def power_on(self) -> None:
        """Switch it on, or reset it by its pin if it is on; it runs as far as it is waited for."""
        self._console.power_on()

    def run(self, seconds: float) -> str:
        """Let it run for so long; what it says meanwhile."""
        start = self._read = len(self._console.said)
        self._console.run(seconds)
        self._read = len(self._console.said)
        return self._from(start)

    def prompt(self, seconds: float = _BOOT_S) -> str:
        """Wait for Lua's prompt; what it says until then, without the prompt.

        Raises:
            NotSaidError: It does not come.
        """
        return self._wait(_PROMPT, seconds, "Lua's prompt").removesuffix("> ").removesuffix("\n")

    def wait_for(self, words: str | re.Pattern[str], seconds: float = _ANSWER_S) -> str:
        """Wait for words, or a pattern, in what was not waited for yet; all of that up to them.

        Raises:
            NotSaidError: They do not come.
        """
        pattern = re.compile(re.escape(words)) if isinstance(words, str) else words
        return self._wait(pattern, seconds, words if isinstance(words, str) else f"/{words.pattern}/")

    def type(self, line: str) -> None:
        """Type a line, and do not wait."""
        self._console.type((line + _LINE_END).encode())

    def restart(self, seconds: float = _BOOT_S) -> str:
        """Have Lua restart it by ``node.restart()``, and wait for the prompt; what it says until then.

        Raises:
            NotSaidError: It does not start again, or the prompt does not come.
        """
        self.type("node.restart()")
        self.wait_for(_BANNER, seconds)
        return self.prompt(seconds)

    def ask(self, line: str, seconds: float = _ANSWER_S) -> str:
        """Type a line at the prompt, and wait for the next one; what comes, without the line.

        Raises:
            NotSaidError: The prompt does not come again.
        """
        self.type(line)
        answer = self.prompt(seconds)
        return answer.removeprefix(line).lstrip("\r").removeprefix("\n")

    def _wait(self, pattern: re.Pattern[str], seconds: float, wanted: str) -> str:
        start = self._read

        def there(_: bytearray) -> bool:
            return pattern.search(self._from(start)) is not None

        if not there(self._console.said) and not self._console.run(seconds, there):
            raise self._not_said(wanted, seconds, start)
        said = self._from(start)
        match = pattern.search(said)
        assert match is not None  # noqa: S101 (that is what was waited for)
        up_to = said[: match.end()]
        self._read = start + self._length(start, match.end())
        return up_to

    def _from(self, start: int) -> str:
        return self._console.said[start:].decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    def _length(self, start: int, characters: int) -> int:
        """How many bytes from a place on make so many characters of the text."""
        said = self._console.said
        if len(self._from(start)) == characters:
            return len(said) - start
        low, high = 0, len(said) - start
        while low < high:
            middle = (low + high) // 2
            part = said[start : start + middle].decode("utf-8", "backslashreplace").replace("\r\n", "\n")
            low, high = (middle + 1, high) if len(part) < characters else (low, middle)
        return low

    def _not_said(self, wanted: str, seconds: float, start: int) -> NotSaidError:
        lines = [line for line in self._from(start).split("\n") if line.strip()]
        missing = self._console.missing
        return NotSaidError(
            wanted,
            seconds=seconds,
            lines=tuple(lines[-_SHOWN:]),
            missing=None if missing is None else f"{missing.name} at 0x{missing.address:08x}",
        )
