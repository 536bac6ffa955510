"""What ``imgtool patch`` changed, or would change, for people: field by field and byte by byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.show import text
from imgtool.cli.show.render import show_findings, show_note
from imgtool.cli.show.text import Span
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line
    from imgtool.formats.regions.init_data import Field
    from imgtool.operations.patch.edits import Difference
    from imgtool.operations.patch.steps import Patched

__all__ = ["show_fields", "show_patched"]

_MOST_RUNS: Final = 24
_MOST_BYTES: Final = 8  # of a run


def show_patched(source: str, target: str | None, made: Patched, note: str | None) -> None:
    """Print what changed, and what is to be said about it."""
    screen = text.stdout()
    count = sum(len(run.new) for run in made.differences)
    fields = [edit for edit in made.edits if edit.old != edit.new or edit.data]
    if not made.differences:
        screen.paragraph(Phrase(Name(source), ": nothing changes, it is so already"))
    else:
        verb = "would change" if target is None else "changed"
        screen.paragraph(Phrase(Name(source), f": {count:,} byte{'' if count == 1 else 's'} {verb}"))
        screen.line()
        rows: list[tuple[Line, ...]] = [
            (
                edit.field,
                f"0x{edit.offset:06x}",
                edit.old,
                edit.new,
                Span("follows", "dim") if edit.follows else "",
            )
            for edit in fields
        ]
        screen.table(rows, head=("field", "offset", "old", "new", ""))
        screen.line()
        _show_bytes(made.differences)
    if target is not None:
        screen.line()
        kind = "all checks hold" if made.after.checksums else "it has no checks"
        state = kind if made.after.ok else "it is damaged, as it was before"
        screen.paragraph(Phrase(Name(target), f": {len(made.data):,} bytes, {state}"))
    if made.findings:
        screen.line()
        show_findings(made.findings)
    show_note(note)


def _show_bytes(runs: Sequence[Difference]) -> None:
    screen = text.stdout()
    rows: list[tuple[Line, ...]] = [
        (f"0x{run.offset:06x}", f"{len(run.new):,}", _hex(run.old), _hex(run.new))
        for run in runs[:_MOST_RUNS]
    ]
    screen.table(rows, head=("offset", "bytes", "old", "new"), right=(1,))
    if len(runs) > _MOST_RUNS:
        screen.line(f"  and {len(runs) - _MOST_RUNS:,} runs more")


def _hex(block: bytes) -> str:
    shown = block[:_MOST_BYTES].hex(" ")
    return (shown + " ..." if len(block) > _MOST_BYTES else shown) or "none"


def show_fields(fields: Sequence[Field]) -> None:
    """Print the fields of init data that can be set."""
    screen = text.stdout()
    for field in fields:
        screen.paragraph(field.name, style="bold")
        screen.paragraph(f"{field.range_text}; v05 has {field.show(field.default[0])}", lead=[Span("    ")])
        screen.paragraph(field.meaning, lead=[Span("    ")])
