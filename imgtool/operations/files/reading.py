"""A file system that was found in a flash, read with its files: of a device no more than what is in use.

Where one is, is found out in imgtool.operations.upgrade; what the pages of one mean, in imgtool.formats.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import FormatError
from imgtool.formats.filesystems import littlefs_files, spiffs_files
from imgtool.formats.filesystems.littlefs import superblock_at
from imgtool.formats.filesystems.spiffs import (
    CONSTANT_MAGIC,
    MAGIC_OFFSET,
    SpiffsSignature,
    lost_magics,
    magic_of,
)
from imgtool.formats.filesystems.stored_files import NewFile, Superblock
from imgtool.formats.reading import PartKind, Severity
from imgtool.operations.inspect.device_settings import read_ahead, remembered
from imgtool.operations.inspect.file_systems import file_systems
from imgtool.operations.upgrade.files import in_use
from imgtool.operations.upgrade.look import side_before
from imgtool.operations.upgrade.side import OldFlash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.filesystems.stored_files import FileSystem
    from imgtool.formats.reading import Finding
    from imgtool.operations.inspect.device_settings import Reader, Remembered
    from imgtool.operations.upgrade.side import FoundFileSystem

__all__ = ["ReadFileSystem", "differing", "files_of", "read_system"]

_PAGE: Final = 0x100
_FREE: Final = 0xFFFF
_ENTRY: Final = 2
_CHUNK: Final = 0x4000  # bytes that are read at once
_DIGESTED: Final = 0x1_0000  # bytes of which a digest takes a tenth of a second, and reading them most of one


class ReadFileSystem(NamedTuple):
    """A file system with its files.

    Attributes:
        found: Where it is, and what it says of itself.
        image: All of it; of a device, what is not in use is taken for erased.
        system: Its files.
        findings: What speaks against changing it: damage, and blocks that the next mount erases.
    """

    found: FoundFileSystem
    image: bytes
    system: FileSystem
    findings: tuple[Finding, ...]


def read_system(found: FoundFileSystem, read: Reader) -> ReadFileSystem:
    """Read a file system with all of its files.

    Args:
        found: The file system.
        read: Reads the flash that it is in.
    """
    read = remembered(read)
    if found.kind is PartKind.SPIFFS and found.block:
        image = _all(found.start, found.size, read) if read.at_hand else _used_blocks(found, read)
        blocks = found.size // found.block
        system = spiffs_files.read_files(image, 0, len(image), block_size=found.block, blocks=blocks)
        findings = [*_lost(image, found), *system.findings]
    else:
        image = _all_but_blank(found.start, found.size, read)
        superblock = superblock_at(image) or Superblock(found.block or _PAGE, 0)
        size, count = superblock.block_size, superblock.blocks
        system = littlefs_files.read_files(image, 0, len(image), block_size=size, blocks=count)
        findings = [*system.findings]
    against = tuple(each for each in findings if each.severity is not Severity.NOTE)
    return ReadFileSystem(found, image, system, against)


def _used_blocks(found: FoundFileSystem, read: Remembered) -> bytes:
    """A SPIFFS of which the blocks are read that are in use; of the others the lookup page tells all."""
    pages = found.block // _PAGE - 1
    image = bytearray(b"\xff" * found.size)
    starts = range(0, found.size - found.block + 1, found.block)
    # Without a stub a byte takes as long as a request does with one.
    looks = [(0, _PAGE)] if read.quick else [(0, _ENTRY * pages), (MAGIC_OFFSET, _PAGE - MAGIC_OFFSET)]
    read_ahead(read, [(found.start + start + at, size) for start in starts for at, size in looks], found.end)
    used: list[int] = []
    for start in starts:
        for at, size in looks:
            image[start + at : start + at + size] = read(found.start + start + at, size)
        if any(entry != _FREE for entry in unpack_from(f"<{pages}H", image, start)):
            used.append(start)
    for start in used:
        image[start : start + found.block] = _all(found.start + start, found.block, read)
    return bytes(image)


def _all(start: int, size: int, read: Reader) -> bytes:
    chunks = (read(start + at, min(_CHUNK, size - at)) for at in range(0, size, _CHUNK))
    return b"".join(chunks)


def _all_but_blank(start: int, size: int, read: Remembered) -> bytes:
    """All of a stretch; of a device without what its digests say is erased."""
    if read.at_hand or not read.quick:
        return _all(start, size, read)
    image = b""
    for at in range(start, start + size, _DIGESTED):
        count = min(_DIGESTED, start + size - at)
        image += b"\xff" * count if read.blank(at, count) else _all(at, count, read)
    return image


def _lost(image: bytes, found: FoundFileSystem) -> list[Finding]:
    """Blocks that have lost their magics."""
    blocks = found.size // found.block
    if found.formula == "constant":
        magics = [CONSTANT_MAGIC] * blocks
    elif found.formula in ("linear", "old"):
        signature = SpiffsSignature(found.block, blocks, found.formula)
        magics = [magic_of(signature, block) for block in range(blocks)]
    else:
        return []
    return lost_magics(image, 0, Superblock(found.block, blocks), magics)


def differing(files: Sequence[NewFile], found: FoundFileSystem, read: Reader) -> tuple[str, ...]:
    """The names of files that a flash does not hold as they should be; files of others do not matter.

    Args:
        files: What should be there.
        found: The file system.
        read: Reads the flash, and has read nothing of it before.
    """
    there = {file.name: file for file in read_system(found, read).system.files}
    wrong = []
    for file in files:
        other = there.get(file.name)
        if other is None or not other.whole or other.data != file.data:
            wrong.append(file.name.decode("utf-8", "backslashreplace"))
    return tuple(wrong)


def files_of(data: bytes, name: str) -> tuple[NewFile, ...]:
    """The files in a copy of a file system, or in the dump of a flash: those that its firmware works with.

    Args:
        data: The whole file.
        name: Its name.

    Raises:
        FormatError: No file system is in it, or a file of it is damaged.
    """
    systems = file_systems(data)
    if len(systems) > 1:
        main = in_use(side_before(OldFlash.of_dump(data, len(data), "dump")))
        systems = tuple(each for each in systems if main is None or each.offset == main.start)
    if len(systems) != 1:
        found = f"{len(systems)} of them" if systems else "none"
        raise FormatError(
            "this holds no file system to take files from", source=name, expected="one", found=found
        )
    broken = [each for each in systems[0].findings if each.severity is Severity.ERROR]
    if broken:
        raise FormatError(broken[0].message, source=name, offset=broken[0].offset)
    return tuple(NewFile.of(file) for file in systems[0].files)
