"""A flash before or after a write, as values: what is in it, how it is read, and where its LFS is.

What fills them in is look.py; no rule on what becomes of things is here.

Source of the marks of LFS: lflash.c of https://github.com/nodemcu/nodemcu-firmware; see docs/formats/lfs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.formats.containers.lfs import LfsHeader
from imgtool.formats.reading import PartKind
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.layout.generations import generation_of
from imgtool.layout.traits import LfsPlace

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.reading import FileKind, Firmware, Header
    from imgtool.formats.regions.nodemcu_page import RecordPage
    from imgtool.layout.regions import FlashLayout
    from imgtool.layout.traits import Generation
    from imgtool.operations.inspect.device_settings import Reader

__all__ = ["LFS_MARKS", "FlashSide", "FoundFileSystem", "LfsRegion", "OldFlash"]

_LFS_MARK: Final = b"\xa1\xfa\xfa"  # bytes 1 to 3 of a Lua 5.1 LFS signature
LFS_MARKS: Final = (_LFS_MARK, b"\xa2\xfa\xfa")
"""Bytes 1 to 3 of the signature of what is loaded: of Lua 5.1, and of 5.3."""

_SIGNATURE: Final = 4


class FoundFileSystem(NamedTuple):
    """A file system in a flash.

    Attributes:
        kind: SPIFFS, LittleFS.
        start: Flash address.
        size: Bytes, by what it says of itself.
        block: Bytes of a block; 0 where that does not matter.
        formula: Of SPIFFS: ``linear``, ``old``, ``constant``, or ``none`` without magics.
    """

    kind: PartKind
    start: int
    size: int
    block: int = 0
    formula: str = ""

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.size

    @property
    def name(self) -> str:
        """The kind as people write it."""
        return "SPIFFS" if self.kind is PartKind.SPIFFS else "LittleFS"

    @property
    def where(self) -> str:
        """Place and size in words."""
        return f"0x{self.start:06x} ({self.size:,} bytes)"


class LfsRegion(NamedTuple):
    """A place for LFS: address, bytes, and the signature of what is loaded there; 0 for nothing."""

    start: int
    size: int
    signature: int = 0

    @property
    def lua(self) -> str:
        """The Lua of what is loaded; empty where nothing is."""
        return {0xA1: "5.1", 0xA2: "5.3"}.get(self.signature >> 8 & 0xFF, "")

    @property
    def number_type(self) -> str:
        """``integer`` or ``float``, for a Lua 5.1 that is loaded; empty where nothing tells."""
        return LfsHeader(self.signature, 0, 0, 0).number_type if self.lua == "5.1" else ""


@dataclass(frozen=True, slots=True)
class OldFlash:
    """What there is before an upgrade.

    Attributes:
        read: Reads it; what is not there reads as erased.
        size: How many bytes from 0 on can be read.
        capacity: Bytes of the flash.
        kind: ``device``, or the kind of the file.
        data: All of it, where it is at hand.
        assumed: Whether it was made from an image: a chip that the image was flashed to and that booted once.
        embedded: Whether the flash is in the package (ESP8285).
    """

    read: Reader
    size: int
    capacity: int
    kind: str
    data: bytes | None = None
    assumed: bool = False
    embedded: bool = False

    @classmethod
    def of_dump(cls, data: bytes, capacity: int, kind: str) -> OldFlash:
        """The dump of a flash, which may be shorter than that."""

        def read(address: int, size: int) -> bytes:
            return data[address : address + size].ljust(size, b"\xff")

        return cls(read, len(data), capacity, kind, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashSide:
    """A flash and the firmware in it, at one moment.

    Attributes:
        read: Reads the flash.
        size: How many bytes from 0 on are known.
        capacity: Bytes of the flash.
        kind: What the firmware is.
        firmware: Which it is, by its strings.
        header: The image header at 0.
        flash: The size that it states.
        irom_end: Flash address behind the firmware; 0 where that is not known.
        page: NodeMCU's record page.
        boot: The image at 0, 64 KB of it at most; empty where it was not looked at.
        layout: What the firmware reserves; None where that is not known.
        problem: Why there is no layout.
        filesystems: What file systems stand there, in address order.
        written: The stretches that a write has covered.
        code: The old firmware, as far as it was read, with what follows on it.
        assumed: Whether it was made from an image, see OldFlash.
        era: The rules that it follows by what it has left, where its strings were not looked for.
        lfs_in_irom: LFS inside of the old firmware, where that was looked for by itself.
        title: What to call a firmware that is not named.
    """

    read: Reader
    size: int
    capacity: int
    kind: FileKind
    firmware: Firmware | None
    header: Header | None
    flash: FlashSize | None
    irom_end: int
    page: RecordPage | None
    boot: bytes
    layout: FlashLayout | None = None
    problem: str = ""
    filesystems: tuple[FoundFileSystem, ...] = ()
    written: tuple[tuple[int, int], ...] = ()
    code: bytes = b""
    assumed: bool = False
    era: Generation | None = None
    lfs_in_irom: LfsRegion | None = None
    title: str = ""

    @property
    def generation(self) -> Generation:
        """Which rules it follows."""
        return self.era or generation_of(self.firmware)

    @property
    def nodemcu(self) -> bool:
        """Whether it is NodeMCU, of a release that is known."""
        return self.generation.is_nodemcu and self.generation.release_known

    @property
    def partitions(self) -> bool:
        """Whether it goes by a partition table."""
        return self.page is not None and self.page.table is not None

    @property
    def name(self) -> str:
        """The firmware in words."""
        if self.firmware is None:
            return self.title or str(self.kind)
        return f"{self.firmware.name} {self.firmware.version or ''}".strip()

    @property
    def lfs(self) -> LfsRegion | None:
        """Where LFS is, and what is loaded there; None where there is no place for it."""
        return _lfs_of(self)

    def hit(self, start: int, end: int) -> bool:
        """Whether the write covers some of a stretch."""
        return any(a < end and start < b for a, b in self.written)


def _lfs_of(side: FlashSide) -> LfsRegion | None:
    if side.partitions:
        region = None if side.layout is None else side.layout.find(PartKind.LFS)
        if region is None:
            return None
        word = side.read(region.start, _SIGNATURE)
        loaded = word[1:] in LFS_MARKS
        return LfsRegion(region.start, region.size, int.from_bytes(word, "little") if loaded else 0)
    if side.lfs_in_irom is not None:
        return side.lfs_in_irom
    # Before 3.0 it is the last pages of irom; it begins at a page, and what is loaded there has a signature.
    inside = side.generation.lfs is LfsPlace.IN_IROM
    for start in range(PAGE_ADDRESS, len(side.code) if inside else 0, SECTOR):
        word = side.code[start : start + _SIGNATURE]
        if word[1:] == _LFS_MARK:
            return LfsRegion(start, len(side.code) - start, int.from_bytes(word, "little"))
    return None
