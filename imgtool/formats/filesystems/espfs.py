"""espfs archives: the read-only web pages of libesphttpd, one header, name and content after the other.

The names and sizes are read; the contents are not unpacked.

Source: the format notes in espfsformat.h of https://github.com/Spritetm/libesphttpd; see
docs/formats/espfs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from construct import Const, Int8ul, Int16ul, Int32ul, Struct

from imgtool.errors import CutError, FormatError
from imgtool.formats.images.version1 import trailing
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import built, parse_at

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ArchiveScan", "EspFs", "EspFsFile", "inside", "read", "scan"]

_MAGIC: Final = b"ESfs"
_HEADER = Struct(
    "magic" / Const(_MAGIC),
    "flags" / Int8ul,
    "compression" / Int8ul,
    "name_size" / Int16ul,  # with its zero bytes up to a multiple of 4
    "stored_size" / Int32ul,
    "size" / Int32ul,
)
_LAST: Final = 0x01
_GZIP: Final = 0x02
_HEATSHRINK: Final = 1
_PACKINGS: Final[Mapping[str | None, tuple[int, int]]] = {
    None: (0, 0),
    "gzip": (_GZIP, 0),
    "heatshrink": (0, _HEATSHRINK),
}
_WORD: Final = 4
_MOST_FILES: Final = 4096


@dataclass(frozen=True, slots=True)
class EspFsFile:
    """One file of an archive.

    Attributes:
        name: Its path.
        content: Its bytes as they are stored.
        size: Bytes when it is unpacked from heatshrink.
        packing: ``gzip`` for the browser to unpack, ``heatshrink`` for the firmware, or None.
    """

    name: str
    content: bytes
    size: int
    packing: str | None = None

    @property
    def stored_size(self) -> int:
        """Bytes that its content takes in the archive."""
        return len(self.content)

    def build(self) -> bytes:
        """Header, name and content as bytes, name and content filled with zeros to multiples of 4.

        Raises:
            FormatError: A name with a zero byte in it, no such packing, or a number that does not fit.
        """
        name = self.name.encode(errors="ignore")
        if b"\0" in name or name.decode() != self.name:
            raise FormatError("no name of a file", expected="Unicode without zeros", found=repr(self.name))
        if self.packing not in _PACKINGS:
            raise FormatError("no such packing", expected="gzip, heatshrink or none", found=str(self.packing))
        name += b"\0"
        flags, compression = _PACKINGS[self.packing]
        name = name.ljust(_aligned(len(name)), b"\0")
        header = _header(flags, compression, len(name), len(self.content), self.size)
        return header + name + self.content.ljust(_aligned(len(self.content)), b"\0")


class EspFs(NamedTuple):
    """An archive as values: its files in their order."""

    files: tuple[EspFsFile, ...]

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> EspFs:
        """Read the archive that begins at ``offset``; bytes behind it are ignored.

        Raises:
            FormatError: No archive, damaged, or cut short.
        """
        found = scan(data, offset)
        if found.problem is not None:
            raise found.problem
        return cls(found.files)

    def build(self) -> bytes:
        """The archive as bytes.

        Raises:
            FormatError: Too many files, or one that cannot be stored.
        """
        if len(self.files) >= _MOST_FILES:
            expected = f"fewer than {_MOST_FILES:,}"
            raise FormatError("too many files", expected=expected, found=f"{len(self.files):,}")
        return b"".join(file.build() for file in self.files) + _header(_LAST)


def _header(
    flags: int, compression: int = 0, name_size: int = 0, stored_size: int = 0, size: int = 0
) -> bytes:
    fields = {
        "flags": flags,
        "compression": compression,
        "name_size": name_size,
        "stored_size": stored_size,
        "size": size,
    }
    return built(_HEADER, fields, "header of a file")


class ArchiveScan(NamedTuple):
    """How far an archive can be followed.

    Attributes:
        files: The files that are whole.
        end: Offset behind it, or where following it stopped.
        problem: Why it has no end.
    """

    files: tuple[EspFsFile, ...]
    end: int
    problem: FormatError | None = None


def scan(data: bytes, offset: int = 0) -> ArchiveScan:
    """Follow the archive that begins at ``offset`` as far as it goes."""
    files: list[EspFsFile] = []
    while len(files) < _MOST_FILES:
        if offset + len(_MAGIC) <= len(data) and not data.startswith(_MAGIC, offset):
            lost = FormatError(
                f"no file header stands behind file {len(files) - 1}",
                offset=offset,
                expected=_MAGIC.hex(),
                found=data[offset : offset + len(_MAGIC)].hex(),
            )
            return ArchiveScan(tuple(files), offset, lost)
        try:
            fields = parse_at(_HEADER, data, offset, f"header of file {len(files)}")
        except FormatError as problem:
            return ArchiveScan(tuple(files), min(offset, len(data)), problem)
        if fields.flags & _LAST:
            return ArchiveScan(tuple(files), offset + _HEADER.sizeof())
        start = _aligned(offset + _HEADER.sizeof() + fields.name_size)
        end = _aligned(start + fields.stored_size)
        if start + fields.stored_size > len(data):
            cut = CutError(
                f"file {len(files)} is cut short",
                offset=start,
                expected=f"{fields.stored_size:,} bytes",
                found=f"{max(0, len(data) - start):,} bytes",
            )
            return ArchiveScan(tuple(files), offset, cut)
        name = data[offset + _HEADER.sizeof() : start].partition(b"\0")[0].decode("utf-8", errors="replace")
        packing = "gzip" if fields.flags & _GZIP else None
        packing = "heatshrink" if fields.compression == _HEATSHRINK else packing
        content = data[start : start + fields.stored_size]
        files.append(EspFsFile(name, content, fields.size, packing))
        offset = end
    return ArchiveScan(tuple(files), offset, FormatError(f"more than {_MOST_FILES:,} files", offset=offset))


def _aligned(offset: int) -> int:
    return -(-offset // _WORD) * _WORD


def inside(data: bytes, offset: int, stop: int) -> Reading | None:
    """Read the archive that begins at ``offset`` of a flash, None if none is there."""
    if not data.startswith(_MAGIC, offset):
        return None
    found = scan(data[:stop] if stop < len(data) else data, offset)
    count = len(found.files)
    note = f"espfs, {count} file{'' if count == 1 else 's'}"
    # Where a damaged archive ends is not known: it gets all there is.
    end = stop if found.problem is not None else found.end
    part = Part(PartKind.USER_DATA, offset, end - offset, note=note, value=EspFs(found.files))
    if found.problem is None:
        return Reading(FileKind.ESPFS, (part,))
    cut = isinstance(found.problem, CutError)
    message = f"{found.problem.message}: the archive is {'cut' if cut else 'damaged'}, its end was not found"
    finding = Finding(Severity.ERROR, "cut" if cut else "damaged", message, found.problem.offset)
    return Reading(FileKind.ESPFS, (part,), findings=(finding,))


def read(data: bytes) -> Reading | None:
    """Read a file that is an espfs archive, whole or damaged."""
    found = inside(data, 0, len(data))
    if found is None:
        return None
    tail, tail_findings = trailing(data, found.parts[-1].end)
    return Reading(FileKind.ESPFS, (*found.parts, *tail), findings=(*found.findings, *tail_findings))
