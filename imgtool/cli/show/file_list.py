"""The file systems in a file for people: how full each is, and a table of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.show import text
from imgtool.cli.show.text import Span
from imgtool.formats.reading import PartKind
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line
    from imgtool.formats.reading import Fact, Part

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
        files = part.facts.get("files")
        if part.kind in (PartKind.SPIFFS, PartKind.LITTLEFS) and isinstance(files, list):
            _show(part, [file for file in files if isinstance(file, dict)])


def _show(part: Part, files: Sequence[dict[str, Fact]]) -> None:
    screen = text.stdout()
    facts = part.facts
    which = _FORMULAS.get(str(facts.get("formula")), f"version {facts.get('version')}")
    screen.line()
    screen.paragraph(
        f"{part.kind} at 0x{part.offset:06x}: {part.size:,} bytes, "
        f"{facts.get('blocks')} blocks of {facts.get('block_size'):,} bytes, {which}",
        lead=[Span("  ")],
    )
    screen.paragraph(_fullness(part, files), lead=[Span("  ")])
    rows: list[tuple[Line, ...]] = [
        (
            f"{file['size']:,}",
            Name(str(file["path"]))
            if file.get("whole")
            else Span(Phrase(Name(str(file["path"])), " (damaged)"), "bold red"),
        )
        for file in files[: _MOST_ROWS if len(files) > _MOST_ROWS + 1 else None]
    ]
    if rows:
        screen.table(rows, head=("size", "file"), right=(0,))
    if len(files) > len(rows):
        screen.line(f"  and {len(files) - len(rows):,} more")


def _fullness(part: Part, files: Sequence[dict[str, Fact]]) -> str:
    used, free, deleted, half = (part.facts.get(name) for name in ("used", "free", "deleted", "half_written"))
    words = ["no files" if not files else f"{len(files):,} file{'' if len(files) == 1 else 's'}"]
    if isinstance(used, int) and isinstance(free, int):
        percent = -(-100 * used // part.size)
        words.append(f"{percent} % used, {free:,} bytes free")
    if isinstance(deleted, int) and deleted:
        words.append(f"{deleted:,} bytes deleted and not yet erased")
    if isinstance(half, int) and half:
        words.append(f"{half} half-written file{'' if half == 1 else 's'} left out")
    return "; ".join(words)
