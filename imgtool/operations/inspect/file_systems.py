"""The file systems of a described file, and the files in them.

Joins the description (where file systems are) and the formats that read them.  Apart from describe.py, as
most who ask what a file is have no use for the files in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import PartKind, Severity

if TYPE_CHECKING:
    from imgtool.formats.filesystems.stored_files import FileSystem, Superblock
    from imgtool.formats.reading import Part
    from imgtool.operations.inspect.describe import Description

__all__ = ["file_systems", "with_files"]

_KINDS: Final = (PartKind.SPIFFS, PartKind.LITTLEFS)


def file_systems(data: bytes, description: Description | None = None) -> tuple[FileSystem, ...]:
    """The file systems in a file, in file order, with all their files; works on any bytes, raises nothing.

    Args:
        data: The whole file: an image of a file system, a dump, a full image.  Of a file that only wraps
            another one (gzip, Intel HEX, S-record, UF2) what is inside is read, and offsets are in there.
        description: What the file is, if that was asked already.
    """
    if description is None:
        from imgtool.operations.inspect.describe import describe  # noqa: PLC0415 - mostly it was asked already

        description = describe(data)
    if description.content is not None:
        inner = _inside(data)
        return () if inner is None else file_systems(inner, description.content)
    return tuple(found for part in description.parts if (found := _read(data, part)) is not None)


def with_files(data: bytes, description: Description) -> Description:
    """The description with the files of its file systems: in the values of their parts, and findings.

    Args:
        data: The whole file.
        description: What was said of it.  Parts whose files cannot be listed here keep the value they have.
    """
    if description.content is not None:
        inner = _inside(data) if _has_any(description.content) else None
        if inner is None:
            return description
        return description._replace(content=with_files(inner, description.content))
    if not _has_any(description):
        return description
    found = {system.offset: system for system in file_systems(data, description)}
    parts = tuple(_with_listing(part, found.get(part.offset)) for part in description.parts)
    findings = (*description.findings, *(finding for system in found.values() for finding in system.findings))
    rank = list(Severity)
    findings = tuple(sorted(findings, key=lambda finding: rank.index(finding.severity)))
    return description._replace(parts=parts, findings=findings)


def _with_listing(part: Part, system: FileSystem | None) -> Part:
    superblock = None if system is None or not system.listed else _superblock(part)
    if system is None or superblock is None:
        return part
    from imgtool.formats.filesystems.stored_files import FileListing  # noqa: PLC0415 - few files have one

    return replace(part, value=FileListing.of(superblock, system))


def _has_any(description: Description) -> bool:
    inner = description.content
    return any(part.kind in _KINDS for part in description.parts) or (inner is not None and _has_any(inner))


def _inside(data: bytes) -> bytes | None:
    from imgtool.formats.registry import identify  # noqa: PLC0415 - only files that wrap another one

    return identify(data).content


def _superblock(part: Part) -> Superblock | None:
    """What the file system in a part says of its size, None where it is none that can be read."""
    if part.kind not in _KINDS:
        return None
    from imgtool.formats.filesystems.stored_files import FileListing, Superblock  # noqa: PLC0415 - likewise

    value = part.value.superblock if isinstance(part.value, FileListing) else part.value
    return value if isinstance(value, Superblock) else None


def _read(data: bytes, part: Part) -> FileSystem | None:
    block = _superblock(part)
    if block is None:
        return None
    if part.kind is PartKind.SPIFFS:
        from imgtool.formats.filesystems import spiffs_files  # noqa: PLC0415 - few files have one

        reader = spiffs_files.read_files
    else:
        from imgtool.formats.filesystems import littlefs_files  # noqa: PLC0415 - likewise

        reader = littlefs_files.read_files
    return reader(data, part.offset, part.end, block_size=block.block_size, blocks=block.blocks)
