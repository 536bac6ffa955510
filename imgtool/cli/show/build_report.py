"""What ``imgtool build`` says: how full each memory is, the files, how to flash them; the same as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.show.text import Span, stdout
from imgtool.phrase import Name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imgtool.cli.show.text import Line, Screen
    from imgtool.engine.images import BuildOutput
    from imgtool.formats.reading import Checksum, Finding
    from imgtool.operations.building.images import Built
    from imgtool.operations.building.memory_use import MemoryUse

__all__ = ["show_built"]

_BAR: Final = 32
_NEARLY_FULL: Final = 0.9
_OTA: Final = 2


def show_built(
    built: Built,
    outputs: Sequence[BuildOutput],
    findings: Sequence[Finding],
    *,
    elf: Path,
    note: str | None,
    written: bool,
    as_json: bool,
) -> None:
    """Print what was built, for people or as a document.

    Args:
        built: The images.
        outputs: The files made of them.
        findings: What is to be said of the files beside what is said of the images.
        elf: The ELF file.
        note: On the spelling of an option.
        written: Whether the files are there.
        as_json: Print a document.
    """
    all_findings = (*built.findings, *findings)
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document, warnings_of
        from imgtool.engine.images import built_fields

        fields = built_fields(elf, built, outputs, all_findings, written=written)
        ok = all(finding.severity != "error" for finding in all_findings)
        print_document(document("build", ok=ok, results=[fields], warnings=warnings_of(all_findings, note)))
        return
    screen = stdout()
    header = built.header
    screen.paragraph(Name(elf), style="bold")
    screen.line(
        f"version {built.version}, {header.mode}, {header.freq}, {header.size}, "
        f"entry point 0x{header.entry:08x}"
    )
    screen.line()
    _show_memory(screen, built.memory)
    if all_findings or note:
        from imgtool.cli.show.render import show_findings, show_note

        screen.line()
        show_findings(all_findings)
        show_note(note)
    screen.line()
    _show_files(screen, built, outputs, written=written)


# For people.


def _show_memory(screen: Screen, memory: Sequence[MemoryUse]) -> None:
    rows = [
        (
            use.name,
            f"{use.used:,}",
            f"{use.free:,}",
            f"{use.limit:,}",
            f"{100 * use.used // use.limit}%",
            _bar(use, unicode=screen.unicode),
        )
        for use in memory
    ]
    screen.table(rows, head=("memory", "used", "free", "limit", "", ""), right=(1, 2, 3, 4))
    screen.line()
    sections: list[tuple[Line, ...]] = [
        (
            use.name,
            f"0x{section.address:08x}",
            f"{section.size:,}",
            section.name if section.loaded else f"{section.name}, not in the image",
        )
        for use in memory
        for section in use.sections
    ]
    screen.table(sections, head=("memory", "address", "size", "section"), right=(2,))
    screen.line()
    screen.table([(use.name, _limit_words(use)) for use in memory], head=("memory", "limit from"))


def _bar(use: MemoryUse, *, unicode: bool) -> Span:
    full, empty = ("█", "·") if unicode else ("#", ".")
    share = min(use.used / use.limit, 1.0)
    # Nothing that is used vanishes, and nothing that is free does.
    cells = min(max(round(share * _BAR), use.used > 0), _BAR if use.free <= 0 else _BAR - 1)
    style = "red" if use.free < 0 else "yellow" if share >= _NEARLY_FULL else "cyan"
    return Span(full * cells + empty * (_BAR - cells), style)


def _limit_words(use: MemoryUse) -> str:
    return f"0x{use.start:08x} to 0x{use.start + use.limit - 1:08x}: {use.source}"


def _show_files(screen: Screen, built: Built, outputs: Sequence[BuildOutput], *, written: bool) -> None:
    rows = [
        (f"0x{each.address:06x}", f"{len(each.data):,}", _check_words(each.checksum), Name(each.path))
        for each in outputs
    ]
    head = "file" if written else "file, not written"
    screen.table(rows, head=("address", "size", "checksum", head), right=(1,))
    if not written:
        return
    from imgtool.engine.images import flash_command

    screen.line()
    behind = ", behind a boot loader at 0x00000" if built.version == _OTA else ""
    screen.line(f"To flash {'it' if len(outputs) == 1 else 'them'}{behind}:")
    # A command is for copying, so it stays on one line.
    screen.line(f"  {flash_command(outputs)}")


def _check_words(checksum: Checksum | None) -> str:
    if checksum is None:
        return "none"
    return f"{checksum.name} 0x{checksum.stored:0{checksum.bits // 4}x}"
