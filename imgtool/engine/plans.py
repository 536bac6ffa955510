"""The plan of a write as words and as JSON: what is written, kept, lost, changed, how long it takes and why.

One plan for ``flash``, its dry run, ``verify`` and ``advise``.  Not its making (imgtool.operations.flashing).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import SECTOR
from imgtool.engine.descriptions import image_words
from imgtool.engine.documents import finding_fields, header_fields
from imgtool.engine.results import Row, Table, Tone, Toned, Words
from imgtool.operations.flashing.draft import Fate
from imgtool.phrase import Name, Phrase
from imgtool.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.engine.results import Cell
    from imgtool.errors import LostThing
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.files.carry import FilesPlan
    from imgtool.operations.flashing.plan import FlashPlan

__all__ = ["files_fields", "losses_table", "plan_fields", "plan_words"]

_VERBS: Final = {Fate.FORMATTED: Toned("format", Tone.CARE), Fate.LOST: Toned("lost", Tone.WRONG)}
_MANY: Final = 4  # pieces with one name, from which on a row is enough for them
_CHIP_ERASE: Final = "erasing the whole flash alone takes 2 s to over 2 min"
"""What boards of others took, docs/virtual/timing.md; the plan's seconds have a guess in the middle of it."""
_MORE: Final = "imgtool advise says more of this upgrade, and writes nothing: Lua, modules, changes of API"


def plan_fields(plan: FlashPlan) -> dict[str, Any]:
    """The plan as JSON, all of it."""
    main = plan.description
    return {
        "kind": None if main is None else str(main.kind),
        "firmware": None if main is None or main.firmware is None else main.firmware.name,
        "version": None if main is None or main.firmware is None else main.firmware.version,
        "header": None if plan.header is None else header_fields(plan.header),
        "flash_size": None if plan.flash is None else plan.flash.name,
        "layout": plan.rule or None,
        "whole": plan.whole,
        "erase_all": plan.erase_all,
        "writes": [{"name": p.name, "address": p.address, "size": len(p.data)} for p in plan.pieces],
        "kept": [{"name": k.name, "address": k.start, "size": k.size, "why": k.why} for k in plan.kept],
        "changes": list(plan.changes),
        "findings": [finding_fields(finding) for finding in plan.findings],
        "losses": [loss.data for loss in plan.losses],
        "moves": [move._asdict() for move in plan.moves],
        "files": None if plan.files is None else files_fields(plan.files),
        "unchanged": None if plan.right is None else len(plan.right) * SECTOR,
        "way": plan.way or None,
        "seconds": None if plan.seconds is None else round(plan.seconds, 3),
    }


def files_fields(plan: FilesPlan) -> dict[str, Any]:
    """The files that are put in or kept, as JSON, without their contents."""
    return {
        "way": plan.way.value,
        "firmware": plan.title,
        "address": plan.start,
        "size": plan.size,
        "from": None if plan.kept is None else plan.kept.found.start,
        "files": [
            {"path": file.name.decode("utf-8", "backslashreplace"), "size": len(file.data)}
            for file in plan.files
        ],
    }


def plan_words(plan: FlashPlan, *, before: Sequence[Row] = ()) -> Words:
    """What a person is told of a plan; ``before`` says what it is for."""
    rows = list(before)
    header = plan.header
    if header is not None:
        words = (header.mode or "mode ?", header.freq or "frequency ?", header.size or "size ?")
        rows.append(Row("header", ", ".join(words)))
    if plan.rule:
        rows.append(Row("layout", plan.rule))
    if plan.way:
        rows.append(Row("stub", plan.way))
    if plan.seconds is not None:
        rows.append(Row("time", _time_words(plan)))
    return Words(
        verdict=_title(plan) if plan.description is None else image_words(plan.description),
        rows=tuple(rows),
        tables=(Table(rows=_rows(plan), head=("address", "size", "", "what"), right=(1,)),),
        changes=plan.changes,
        findings=plan.findings,
        notes=(_MORE,) if plan.losses else (),
    )


def losses_table(losses: Sequence[LostThing]) -> Table:
    """What would be lost, for a person who is asked about it: a row each, with the files by their names."""
    rows = tuple((f"0x{loss.start:06x}", f"{loss.size:,}", _loss_words(loss)) for loss in losses)
    return Table(rows=rows, title="This would be lost:", head=("address", "size", "what"), right=(1,))


def _loss_words(loss: LostThing) -> str:
    files = Phrase(", with ", Phrase.joined(", ", [Name(name) for name in loss.files])) if loss.files else ""
    return Phrase(loss.name, files, f": {loss.reason}")


def _time_words(plan: FlashPlan) -> str:
    took = duration(plan.seconds or 0)
    if plan.erase_all:
        return f"about {took}, but {_CHIP_ERASE}"
    if not plan.right:
        return f"about {took}, if nothing of it is there already"
    sectors = sum(-(-len(piece.data) // SECTOR) for piece in plan.pieces)
    differ = sectors - len(plan.right)
    return f"about {took}: {differ} of {sectors} sectors differ"


def _title(plan: FlashPlan) -> str:
    return Phrase.joined(", ", dict.fromkeys(piece.name for piece in plan.pieces)) or "nothing to write"


def _row(piece: Piece, name: str, size: int) -> tuple[int, tuple[Cell, ...]]:
    verb = Toned("write", Tone.WORK) if piece.data.strip(b"\xff") else Toned("erase", Tone.CARE)
    return piece.address, (f"0x{piece.address:06x}", f"{size:,}", verb, name)


def _rows(plan: FlashPlan) -> tuple[tuple[Cell, ...], ...]:
    rows: list[tuple[int, tuple[Cell, ...]]] = []
    if plan.erase_all:
        size = plan.target.flash_bytes
        what = ("0x000000", f"{size:,}" if size else "all", Toned("erase", Tone.CARE), "the whole flash")
        rows.append((-1, what))
    for name, alike in groupby(plan.pieces, key=lambda piece: piece.name):
        group = tuple(alike)
        if len(group) < _MANY:
            rows += (_row(piece, piece.name, len(piece.data)) for piece in group)
        else:  # a sector of each block of a file system
            size = sum(len(piece.data) for piece in group)
            places = Phrase(name, f", {len(group)} places up to 0x{group[-1].address:06x}")
            rows.append(_row(group[0], places, size))
    for kept in plan.kept:
        if any(piece.address == kept.start for piece in plan.pieces):
            continue  # what is kept by being written; the changes tell
        name = f"{kept.name}: {kept.holds}" if kept.holds else kept.name
        verb = _VERBS.get(kept.fate, Toned("keep", Tone.GOOD))
        rows.append((kept.start, (f"0x{kept.start:06x}", f"{kept.size:,}", verb, name)))
    return tuple(row for _, row in sorted(rows, key=lambda row: row[0]))
