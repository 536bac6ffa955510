"""Compare two images or dumps: what differs, and whether that matters.

Not the comparing (imgtool.operations.compare).  Words have the first of long lists and count the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.device.events import Event, ignore
from imgtool.engine.documents import comparison_fields, document
from imgtool.engine.results import Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO, answers_no
from imgtool.operations.compare.files import compare as compared
from imgtool.operations.compare.values import DiffState
from imgtool.phrase import Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Cell, Output
    from imgtool.operations.compare.values import Compared, Comparison, FieldChange, RegionChange

__all__ = ["CompareRequest", "CompareResult", "compare"]

_STEPS: Final = 1
_EMPTY: Final = ("gap", "blank")
_OF_ALL: Final = ("file", "firmware")  # what fields belong to that are of no region
_MOST_REGIONS: Final = 40
_MOST_FIELDS: Final = 24
_MOST_PATTERNS: Final = 12
_STATES: Final = {
    DiffState.SAME: Toned("same", Tone.DIM),
    DiffState.FIRMWARE: Toned("by firmware", Tone.GOOD),
    DiffState.DIFFERS: Toned("differs", Tone.WRONG),
    DiffState.OUTSIDE: Toned("not in both", Tone.DIM),
}


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What is to be compared.

    Attributes:
        a: The older file, or what was flashed; places of files do not matter.
        b: The newer file, or what was read back.
        exact: Whether any difference makes the answer no, the firmware's own too.
    """

    a: InputFile
    b: InputFile
    exact: bool = False


@dataclass(frozen=True, slots=True)
class CompareResult:
    """What differs between two files.

    Attributes:
        names: What the files are called.
        comparison: What differs.
        exact: Whether any difference makes the answer no.
    """

    names: tuple[str, str]
    comparison: Comparison
    exact: bool = False

    @property
    def ok(self) -> bool:
        """Whether they do not differ, or only in what the firmware changes if that is enough."""
        return not answers_no(self.comparison, exact=self.exact)

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE if self.ok else NO

    @property
    def outputs(self) -> tuple[Output, ...]:
        """No files."""
        return ()

    @property
    def document(self) -> Document:
        """What ``imgtool compare --json`` prints."""
        return document("compare", ok=self.ok, results=[comparison_fields(*self.names, self.comparison)])

    @property
    def words(self) -> Words:
        """What a person is told of both files, then of regions, fields that differ, marks of damage."""
        found = self.comparison
        files = Table(rows=(_file("A", self.names[0], found.a), _file("B", self.names[1], found.b)))
        return Words(
            verdict=_sentence(found.verdict),
            tone=Tone.WRONG if found.differs else Tone.GOOD,
            tables=(files,) if found.same else (files, *_regions(found), *_details(found), *_marks(found)),
            notes=tuple(map(_sentence, found.notes)),
        )


@stoppable("the files were not compared")
def compare(request: CompareRequest, on_event: Listener = ignore) -> CompareResult:
    """Compare two files; works on any bytes.

    Args:
        request: The files.
        on_event: Told when it begins and ends.

    Raises:
        InterruptedRunError: It was stopped.
    """
    a, b = request.a, request.b
    on_event(Event("compare", 0, _STEPS, b.name))
    found = compared(a.data, b.data)
    on_event(Event("compare", _STEPS, _STEPS, b.name))
    return CompareResult((a.name, b.name), found, request.exact)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _file(letter: str, name: str, file: Compared) -> tuple[Cell, ...]:
    kind = file.kind if file.content is None else f"{file.kind}, inside {file.content.kind}"
    return letter, f"{file.size:,} bytes", kind, Name(name)


def _regions(found: Comparison) -> Iterator[Table]:
    """The regions in their order; if there are too many, those that are not the same."""
    full = [r for r in found.regions if r.state is not DiffState.OUTSIDE or r.kind not in _EMPTY]
    some = full
    if len(some) > _MOST_REGIONS:
        some = [region for region in full if region.state is not DiffState.SAME]
    rows = tuple(
        (_plain(region.name), _offset(region), f"{region.size:,}", _STATES[region.state], _detail(region))
        for region in some[:_MOST_REGIONS]
    )
    if not rows:
        return
    same = len(full) - len(some)
    left = [_rest(len(some) - _MOST_REGIONS, "regions"), f"and {same} that are the same" if same else ""]
    yield Table(
        rows=rows,
        head=("region", "offset", "size", "state", ""),
        right=(2,),
        below="\n".join(filter(None, left)),
    )


def _plain(name: str) -> str:
    """The name without the place of its image, which the next column has."""
    return name.split(" of 0x", maxsplit=1)[0].split(" at 0x", maxsplit=1)[0]


def _offset(region: RegionChange) -> str:
    offset = region.offset_b if region.offset_a is None else region.offset_a
    return f"0x{offset or 0:06x}"


def _both(region: RegionChange) -> bool:
    return region.offset_a is not None and region.offset_b is not None


def _detail(region: RegionChange) -> str:
    if not _both(region):
        return "only in B" if region.offset_a is None else "only in A"
    if region.bytes:
        return _count(region.bytes)
    return "" if region.offset_a == region.offset_b else f"0x{region.offset_b or 0:06x} in B"


def _count(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"


def _details(found: Comparison) -> Iterator[Table]:
    """Region by region: where it differs and why, then its fields."""
    fields: dict[str, list[FieldChange]] = {}
    for field in found.fields[:_MOST_FIELDS]:
        fields.setdefault(field.region, []).append(field)
    for name in _OF_ALL:
        if name in fields:
            yield Table(rows=tuple(_field(field) for field in fields.pop(name)), title=name)
    changed = [r for r in found.regions if r.state in (DiffState.FIRMWARE, DiffState.DIFFERS)]
    for change in changed[:_MOST_REGIONS]:
        yield Table(
            rows=tuple(_field(field, change.reason) for field in fields.pop(change.name, [])),
            title=f"{_plain(change.name)} at {_offset(change)}",
            lead=_where(change),
        )
    left = _rest(len(found.fields) - _MOST_FIELDS, "fields")
    if left:
        yield Table(rows=(), below=left)


def _where(region: RegionChange) -> str:
    """How much differs and from where on, where it lies in B, and the reason."""
    words: list[str] = []
    if _both(region) and region.offset_a != region.offset_b:
        words.append(f"at 0x{region.offset_b or 0:06x} in B")
    if _both(region) and region.size_a != region.size_b:
        words.append(f"{region.size_a:,} -> {region.size_b:,} bytes")
    if region.bytes:
        words.append(_amount(region) if _both(region) else _count(region.bytes))
    if region.reason:
        words.append(region.reason)
    return "; ".join(words)


def _amount(region: RegionChange) -> str:
    count = _count(region.bytes)
    if region.sectors > 1:
        count += f" in {region.sectors:,} sectors"
    place = f"0x{region.first or 0:06x}"
    if region.address is not None:
        place += f" (0x{region.address:08x})"
    one = region.bytes == 1
    return f"{count} {'differs' if one else 'differ'}, {'' if one else 'the first '}at {place}"


def _field(field: FieldChange, region_reason: str = "") -> tuple[Cell, ...]:
    """A row for a field; a reason that stands at its whole region is not given again."""
    old, new = (_shown(value) for value in (field.a, field.b))
    why = (
        ""
        if field.reason == region_reason and region_reason
        else field.reason or ("by firmware" if field.state is DiffState.FIRMWARE else "")
    )
    return field.name, f"{old} -> {new}" + (f" ({why})" if why else "")


def _shown(value: str | None) -> str:
    return "none" if value is None else value


def _marks(found: Comparison) -> Sequence[Table]:
    """Marks of damage."""
    if not found.patterns:
        return ()
    rows = tuple((Toned("look", Tone.CARE), pattern.message) for pattern in found.patterns[:_MOST_PATTERNS])
    return (Table(rows=rows, below=_rest(len(found.patterns) - _MOST_PATTERNS, "marks")),)


def _rest(count: int, what: str) -> str:
    return f"and {count:,} more {what}" if count > 0 else ""
