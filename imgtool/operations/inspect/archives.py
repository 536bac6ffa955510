"""What is in an archive: its files, and which of them are firmware or go with it.

Not the archive's own format (formats/containers/archive.py), and no choice among its files
(operations/assemble/choosing.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import FormatError
from imgtool.formats.containers import archive
from imgtool.formats.containers.archive import Archive
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding, Severity
from imgtool.formats.registry import identify
from imgtool.operations.inspect.describe import describe
from imgtool.phrase import Name, Phrase
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.formats.containers.archive import Member
    from imgtool.formats.reading import FileKind
    from imgtool.operations.inspect.describe import Description

__all__ = ["FoundFile", "found_files", "looked_into", "packed_firmware", "problem_of", "with_members"]

_MOST_LOOKED_AT: Final = 64
_DEEPEST: Final = 2  # as describe looks: a gzip in a gzip, no further
# Of an archive of sources or of tools only what can be firmware by its name is looked at.
_SUFFIXES: Final = (".bin", ".img", ".hex", ".elf", ".uf2", ".srec", ".s19", ".s37", ".mot", ".gz", ".fw")


class FoundFile(NamedTuple):
    """A file of an archive or of a folder, and what it is.

    Attributes:
        name: Its path in there.
        data: Its bytes.
        kind: What it is.
    """

    name: str
    data: bytes
    kind: FileKind

    @property
    def words(self) -> str:
        """What it is, in words."""
        return KINDS[self.kind].words

    def __repr__(self) -> str:
        """Without the bytes."""
        return f"FoundFile(name={self.name!r}, kind={self.kind!r})"


def looked_into(data: bytes) -> tuple[tuple[FoundFile, ...], tuple[Member, ...]]:
    """The files of an archive that were looked at, and all that are in it.

    Raises:
        FormatError: It cannot be opened, or is damaged.
    """
    every = tuple(archive.members(data))
    found = found_files((member.name, member.data) for member in every)
    return found, every


def packed_firmware(data: bytes, name: str) -> bytes | None:
    """The firmware, or the archive, in a gzip file, also in a gzip file in it; None where neither is.

    Args:
        data: A file.
        name: What to call it.

    Raises:
        FormatError: It is a gzip file that is damaged, cut, or too large for any flash.
    """
    for _ in range(_DEEPEST + 1):
        reading = identify(data)
        row = KINDS[reading.kind]
        if row.packs or row.is_firmware:
            return data
        if not row.wraps or row.no_content:  # records have addresses, and a boot loader unpacks others
            break
        error = next((finding for finding in reading.findings if finding.severity is Severity.ERROR), None)
        if error is not None:
            raise FormatError(error.message, offset=error.offset, source=name)
        data = reading.content or b""
    return None


def found_files(files: Iterable[tuple[str, bytes | None]]) -> tuple[FoundFile, ...]:
    """What files are; of very many only those that can be firmware by their names.

    Args:
        files: Names and bytes; None for what was not read.
    """
    pairs = [(name, data) for name, data in files if data is not None]
    if len(pairs) > _MOST_LOOKED_AT:
        pairs = [pair for pair in pairs if PurePosixPath(pair[0]).suffix.lower() in _SUFFIXES]
    return tuple(FoundFile(name, data, identify(data).kind) for name, data in pairs[:_MOST_LOOKED_AT])


def with_members(data: bytes, description: Description) -> Description:
    """The description of an archive with the files in it: their names in its value, firmware in findings.

    Args:
        data: The whole file; it may be a gzip file with an archive in it.
        description: What was said of it.
    """
    if description.content is not None:
        inner = identify(data).content
        content = description.content if inner is None else with_members(inner, description.content)
        return description._replace(content=content)
    part = description.parts[0]
    value = part.value
    if not isinstance(value, Archive) or not value.opens:
        return description
    try:
        found, every = looked_into(data)
    except FormatError as error:
        finding = Finding(Severity.ERROR, "damaged", error.message, error.offset)
        return description._replace(findings=(*description.findings, finding))
    listed = value._replace(files=tuple((member.name, member.size) for member in every))
    note = f"{value.form} with {len(every):,} file{'' if len(every) == 1 else 's'}"
    unread = _unread(every)
    notes = [*_about(found, whole=not unread), *unread]
    return description._replace(
        parts=(replace(part, value=listed, note=note),),
        findings=(*description.findings, *notes),
    )


def _about(found: tuple[FoundFile, ...], *, whole: bool) -> list[Finding]:
    """The files of the ESP8266; that there are none only where all was looked at."""
    ours = [file for file in found if not KINDS[file.kind].foreign]
    if not ours:
        return [Finding(Severity.NOTE, "member", "no ESP8266 file is in it")] if whole else []
    return [
        Finding(
            Severity.NOTE,
            "member",
            Phrase("in it: ", *_named(file), f"{bytes_and_units(len(file.data))}: {_words_of(file)}"),
        )
        for file in ours
    ]


def _named(file: FoundFile) -> tuple[Phrase | str, ...]:
    """The name of a file; what packs one file alone may not know it."""
    return (Name(file.name), ", ") if file.name else ()


def _words_of(file: FoundFile) -> str:
    """What a file is, and whose firmware it holds."""
    what = describe(file.data)
    damaged = "" if what.ok else ", damaged"
    firmware = what.firmware if what.content is None else what.content.firmware
    if firmware is None:
        return f"{file.words}{damaged}"
    name = f"{firmware.name} {firmware.version or ''}".strip()
    return f"{name} ({file.words}{damaged})"


def _called(member: Member) -> Phrase:
    return Phrase(Name(member.name), " in it") if member.name else Phrase("what is in it")


def problem_of(every: Iterable[Member]) -> Phrase | None:
    """Why the first file was not read of those that were not; None where all were."""
    closed = next((member for member in every if member.problem), None)
    return None if closed is None else Phrase(_called(closed), f" is {closed.problem}")


def _unread(every: tuple[Member, ...]) -> list[Finding]:
    return [
        Finding(Severity.WARNING, "member", Phrase(_called(member), f" is {member.problem}"))
        for member in every
        if member.problem
    ][:_MOST_LOOKED_AT]
