"""Compare two images or dumps by region and meaning.

Each file is described, bytes are put beside their counterparts, and every difference is judged: does the
firmware write that by itself, or would nothing that runs write it?  Not the cure: docs/how-to/compare.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.operations.compare.byte_pairs import difference, differing_sectors
from imgtool.operations.compare.fields import fields_of, firmware_fields
from imgtool.operations.compare.pairs import FILLERS, pairs_of, side_of
from imgtool.operations.compare.patterns import Judged, patterns_of
from imgtool.operations.compare.rules import covers, judge
from imgtool.operations.compare.values import (
    Compared,
    Comparison,
    DiffState,
    FieldChange,
    Pattern,
    RegionChange,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.compare.pairs import ComparedFile, Pair

__all__ = ["Compared", "Comparison", "DiffState", "FieldChange", "Pattern", "RegionChange", "compare"]

_NAMED: Final = 3  # regions that the verdict names


def compare(a: bytes, b: bytes) -> Comparison:
    """Compare two files; works on any bytes, raises nothing.

    Args:
        a: The first file: the older one, or what was flashed.
        b: The second file: the newer one, or what was read back.
    """
    one, two = side_of(a), side_of(b)
    pairs, by_offset = pairs_of(one, two)
    judged = _named_apart([_judged(pair, one, two) for pair in pairs])
    fields = [*_kind_field(one, two)]
    if one.data != two.data:
        fields += firmware_fields(one, two)
        for each in judged:
            if each.change.state in (DiffState.DIFFERS, DiffState.FIRMWARE):
                fields += fields_of(each.pair, each.change.name, one, two)
    regions = tuple(each.change for each in judged)
    return Comparison(
        a=_compared(a, one),
        b=_compared(b, two),
        same=one.data == two.data,
        verdict=_verdict(one, two, judged, fields),
        regions=regions,
        fields=tuple(fields),
        patterns=() if one.data == two.data else patterns_of(one, two, judged, by_offset=by_offset),
        notes=tuple(_notes(one, two, by_offset=by_offset)),
    )


def _compared(data: bytes, side: ComparedFile) -> Compared:
    inner = Compared(side.description.size, side.description.sha256, str(side.description.kind))
    if side.wrapper is None:
        return inner
    return Compared(len(data), hashlib.sha256(data).hexdigest(), str(side.wrapper), inner)


def _kind_field(a: ComparedFile, b: ComparedFile) -> list[FieldChange]:
    """Two sorts of files are a difference, but for a dump beside what it may hold."""
    one, two = a.description.kind, b.description.kind
    if one is two or covers(a, b) is not None:
        return []
    return [FieldChange("file", "kind", str(one), str(two))]


def _judged(pair: Pair, a: ComparedFile, b: ComparedFile) -> Judged:
    judgement = judge(pair, a, b)
    one, two = pair.bytes_of(a, b)
    count, first = difference(one, two)
    span = pair.a or pair.b or (0, 0)
    atom = pair.atom_a if pair.a is not None else pair.atom_b
    place = None if first is None else span[0] + first
    address = None if place is None or atom is None else atom.address_of(place)
    change = RegionChange(
        kind=str(pair.kind),
        name=_name(pair),
        offset_a=None if pair.a is None else pair.a[0],
        offset_b=None if pair.b is None else pair.b[0],
        size_a=len(one),
        size_b=len(two),
        state=judgement.state,
        reason=judgement.reason,
        bytes=count,
        first=place,
        address=address,
        sectors=len(differing_sectors(one, two, span[0])) if count else 0,
    )
    return Judged(pair, change, judgement.follows)


def _named_apart(judged: Sequence[Judged]) -> tuple[Judged, ...]:
    """Of several regions of one name all but the first say where they are."""
    seen: set[str] = set()
    apart: list[Judged] = []
    for each in judged:
        change = each.change
        if change.name in seen and each.pair.kind not in FILLERS:
            place = change.offset_b if change.offset_a is None else change.offset_a
            change = replace(change, name=f"{change.name} at 0x{place or 0:06x}")
        seen.add(each.change.name)
        apart.append(replace(each, change=change))
    return tuple(apart)


def _name(pair: Pair) -> str:
    """The name of a region; that of an image behind the start says where it is."""
    start = (pair.a or pair.b or (0, 0))[0]
    atom = pair.atom_a if pair.a is not None else pair.atom_b
    image = start if atom is None else atom.part.offset
    if not pair.name:
        return str(pair.kind)
    return pair.name if image == 0 else f"{pair.name} of 0x{image:06x}"


def _notes(a: ComparedFile, b: ComparedFile, *, by_offset: bool) -> list[str]:
    notes = [
        f"{name} is a {side.wrapper} file: its contents are compared"
        for name, side in (("A", a), ("B", b))
        if side.wrapper is not None
    ]
    dump = covers(a, b)
    if dump is not None:
        small, large = ("A", "B") if dump is b else ("B", "A")
        notes.append(f"{large} is a dump: compared is what {small} covers")
    if a.description.kind is not b.description.kind and dump is None:
        notes.append(f"the files are of different kinds: {a.description.kind} and {b.description.kind}")
    if not by_offset:
        notes.append("the files are compared part by part, not by offset")
    return notes


def _verdict(
    a: ComparedFile, b: ComparedFile, judged: Sequence[Judged], fields: Sequence[FieldChange]
) -> str:
    if a.data == b.data:
        if a.wrapper or b.wrapper:
            return "the same contents, byte for byte"
        return "the same, byte for byte"
    wrong = [each for each in judged if each.change.state is DiffState.DIFFERS]
    kinds = [field for field in fields if field.region == "file"]
    if wrong or kinds:
        return "different: " + ", ".join(_differences(wrong, fields))
    if any(each.change.state is DiffState.FIRMWARE for each in judged):
        return "the same but for what the firmware changes by itself"
    dump = covers(a, b)
    if dump is not None:
        return f"the same over all that {'A' if dump is b else 'B'} covers"
    return "the same but for blank flash that only one file has"


def _differences(judged: Sequence[Judged], fields: Sequence[FieldChange]) -> list[str]:
    kinds = [f"{field.a} against {field.b}" for field in fields if field.region == "file"]
    wrong = [each.change for each in judged]
    named = {region.name for region in wrong}
    differing = [
        field
        for field in fields
        if field.state is DiffState.DIFFERS and (field.region in named or field.region == "firmware")
    ]
    words = [*kinds]
    if differing:
        words.append(f"{len(differing)} field{'' if len(differing) == 1 else 's'}")
    ranked = sorted((each.change for each in judged if not each.follows), key=lambda r: -r.bytes)
    moved = [region for region in ranked if not region.bytes]
    sized = [region for region in ranked if region.bytes]
    words += [f"{_count(region.bytes)} in {region.name}" for region in sized[:_NAMED]]
    words += [f"{region.name} moved" for region in moved[:_NAMED]]
    more = max(0, len(sized) - _NAMED) + max(0, len(moved) - _NAMED)
    if more:
        words.append(f"{more} more region{'' if more == 1 else 's'}")
    return words or [f"{_count(region.bytes)} in {region.name}" for region in wrong[:_NAMED]]


def _count(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"
