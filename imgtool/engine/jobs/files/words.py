"""What the jobs of ``files`` say alike: counts, places, how full a file system is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import PartKind
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.filesystems.stored_files import FileSystem

__all__ = ["count_words", "fullness", "no_match", "not_taken", "shown", "system_words"]


_MOST_NAMES: Final = 8


def count_words(count: int) -> str:
    """How many files."""
    return f"{count:,} file{'' if count == 1 else 's'}"


def shown(name: bytes) -> str:
    """A stored name as text."""
    return name.decode("utf-8", "backslashreplace")


def no_match(pattern: str) -> str:
    """That a pattern fits no file."""
    return Phrase("no file that is there fits ", Name(pattern))


def not_taken(names: Sequence[str]) -> str:
    """What was not taken along from a folder."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    listed = Phrase.joined(", ", [Name(name) for name in names[:_MOST_NAMES]])
    return Phrase("left out, as other programs put it there: ", listed, more)


def system_words(system: FileSystem) -> str:
    """What a file system is, and where."""
    kind = "SPIFFS" if system.kind is PartKind.SPIFFS else f"LittleFS {system.layout}".rstrip()
    return f"{kind} at 0x{system.offset:06x}, {in_bytes(system.size)}"


def fullness(system: FileSystem) -> str:
    """How full a file system is."""
    words = []
    if system.used is not None and system.free is not None:
        percent = -(-100 * system.used // system.size)
        words.append(f"{percent} % used, {in_bytes(system.free)} free")
    if system.deleted:
        words.append(f"{in_bytes(system.deleted)} deleted and not yet erased")
    if system.half_written:
        count = system.half_written
        words.append(f"{count} half-written file{'' if count == 1 else 's'} left out")
    return "; ".join(words)
