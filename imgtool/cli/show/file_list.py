"""The file systems in a file for people: how full each is, and a table of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.show import text
from imgtool.cli.show.text import Span
from imgtool.formats.filesystems.littlefs import LittleFsSuperblock
from imgtool.formats.filesystems.spiffs import SpiffsSignature
from imgtool.formats.filesystems.spiffs_plain import PlainSpiffs
from imgtool.formats.filesystems.stored_files import FileListing
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line
    from imgtool.formats.filesystems.stored_files import Superblock
    from imgtool.formats.reading import Part

__all__ = ["show_file_systems"]

_MOST_ROWS: Final = 20
_FORMULAS: Final = {
    "linear": "linear magics",
    "old": "magics by the old formula",
    "none": "no magics",
    "unknown": "magics by an unknown formula",
}


def show_file_systems(parts: Sequence[Part]) -> None:
    """Print the file systems among some parts, for which the files were read."""
    for part in parts:
        if isinstance(part.value, FileListing):
            _show(part, part.value)


def _show(part: Part, listing: FileListing) -> None:
    screen = text.stdout()
    files = listing.files
    block = listing.superblock
    screen.line()
    screen.paragraph(
        f"{part.kind} at 0x{part.offset:06x}: {part.size:,} bytes, "
        f"{block.blocks} blocks of {block.block_size:,} bytes, {_which(block)}",
        lead=[Span("  ")],
    )
    screen.paragraph(_fullness(part, listing), lead=[Span("  ")])
    rows: list[tuple[Line, ...]] = [
        (
            f"{file.size:,}",
            Name(file.path) if file.whole else Span(Phrase(Name(file.path), " (damaged)"), "bold red"),
        )
        for file in files[: _MOST_ROWS if len(files) > _MOST_ROWS + 1 else None]
    ]
    if rows:
        screen.table(rows, head=("size", "file"), right=(0,))
    if len(files) > len(rows):
        screen.line(f"  and {len(files) - len(rows):,} more")


def _which(block: Superblock) -> str:
    """The variant of a file system."""
    if isinstance(block, LittleFsSuperblock):
        return f"version {block.version}"
    return _FORMULAS[block.formula] if isinstance(block, SpiffsSignature | PlainSpiffs) else ""


def _fullness(part: Part, listing: FileListing) -> str:
    files = listing.files
    words = ["no files" if not files else f"{len(files):,} file{'' if len(files) == 1 else 's'}"]
    if listing.used is not None and listing.free is not None:
        percent = -(-100 * listing.used // part.size)
        words.append(f"{percent} % used, {listing.free:,} bytes free")
    if listing.deleted:
        words.append(f"{listing.deleted:,} bytes deleted and not yet erased")
    if listing.half_written:
        count = listing.half_written
        words.append(f"{count} half-written file{'' if count == 1 else 's'} left out")
    return "; ".join(words)
