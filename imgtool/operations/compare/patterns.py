"""What differing bytes look like: the marks that a worn flash, a cut or a bad transfer leave.

A pattern points to a cause, it does not prove one.  Looked at is only what the firmware would not write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.formats import fill
from imgtool.formats.reading import PartKind
from imgtool.operations.compare.byte_pairs import bit_changes, difference
from imgtool.operations.compare.pairs import FILLERS
from imgtool.operations.compare.values import DiffState, Pattern
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from imgtool.operations.compare.pairs import ComparedFile, Pair
    from imgtool.operations.compare.values import RegionChange

__all__ = ["Judged", "patterns_of"]

_LEAST_PREFIX: Final = 16
_ERASED: Final = b"\xff" * SECTOR
_WITH_FIELDS: Final = (PartKind.INIT_DATA, PartKind.PARTITION_TABLE, PartKind.RBOOT_CONFIG)
_ONE_LINE_END: Final = bytes.maketrans(b"\r", b"\n")
_LEAST_TAIL: Final = 4  # sectors that must differ without exception
_NAMED: Final = 4  # places that a sentence names


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair and what it came to."""

    pair: Pair
    change: RegionChange


def patterns_of(
    a: ComparedFile, b: ComparedFile, judged: Sequence[Judged], *, by_offset: bool
) -> tuple[Pattern, ...]:
    """All patterns, the ones about the whole file first.

    Args:
        a: The first file.
        b: The second one.
        judged: What all pairs came to.
        by_offset: Whether the files were laid over each other.
    """
    wrong = [each for each in judged if each.change.state is DiffState.DIFFERS]
    found = [*_whole(a.data, b.data, cut=bool(wrong)), *_moved_parts(wrong)]
    direct = [each for each in wrong if each.pair.a is not None and each.pair.b is not None]
    found += _bits(a, b, direct)
    if by_offset and not _two_builds(direct):
        spans = [each.pair.a for each in direct if each.pair.a is not None and each.pair.a == each.pair.b]
        found += _sectors(a.data, b.data, spans, _filled(direct))
    return tuple(found)


def _two_builds(direct: Sequence[Judged]) -> bool:
    """Whether most of both the boot image and irom differs: no damage does that."""
    changes = [each.change for each in direct]
    mostly = [change for change in changes if 2 * change.bytes > change.size]
    images = any(change.name.startswith("segment") for change in mostly)
    return images and any(change.kind == PartKind.IROM for change in mostly)


def _filled(direct: Sequence[Judged]) -> set[int]:
    """The sectors that A has nothing in: that B was written there is no erase in A."""
    spans = [each.pair.a for each in direct if each.pair.kinds_a <= FILLERS and each.pair.a is not None]
    return {
        at for start, stop in spans for at in range(start // SECTOR * SECTOR, stop // SECTOR * SECTOR, SECTOR)
    }


def _whole(a: bytes, b: bytes, *, cut: bool) -> Iterator[Pattern]:
    for name, short, other, long in (("A", a, "B", b), ("B", b, "A", a)):
        size = len(short)
        if cut and _LEAST_PREFIX <= size < len(long) and long.startswith(short):
            missing = len(long) - size
            message = f"{name} is the beginning of {other}: {in_bytes(missing)} are missing"
            yield Pattern("cut", message, size, missing)
        if size >= _LEAST_PREFIX and b"\n" in short and _as_text(short, long):
            message = f"{other} is {name} with 0x0d before every 0x0a: a transfer in text mode"
            yield Pattern("text-mode", message, short.find(b"\n"))
    count, first = difference(a, b) if len(a) == len(b) else (0, None)
    if count > 1 and a.translate(_ONE_LINE_END) == b.translate(_ONE_LINE_END):
        message = "only line ends differ, 0x0a for 0x0d or the other way round: a transfer in text mode"
        yield Pattern("text-mode", message, first)


def _as_text(plain: bytes, mangled: bytes) -> bool:
    """Whether the second is the first after a transfer in text mode, whole or cut."""
    if len(mangled) <= len(plain):
        return False
    made = plain.replace(b"\n", b"\r\n")
    return made == mangled and made != plain


def _moved_parts(wrong: Sequence[Judged]) -> Iterator[Pattern]:
    for each in wrong:
        pair, change = each.pair, each.change
        if pair.moved and pair.a and pair.b:
            message = (
                f"{change.name} stands at 0x{pair.b[0]:06x} in B and at 0x{pair.a[0]:06x} in A, byte for byte"
            )
            yield Pattern("moved", message, pair.a[0], change.size)


def _bits(a: ComparedFile, b: ComparedFile, direct: Sequence[Judged]) -> Iterator[Pattern]:
    """Flash cells go from 1 to 0 without an erase, and from 0 to 1 by an erase alone."""
    cleared = raised = 0
    old, new = True, True
    first: int | None = None
    for each in direct:
        if each.change.reason.startswith("follows") or each.pair.moved or _has_fields(each.pair):
            continue
        one, two = each.pair.bytes_of(a, b)
        down, up = bit_changes(one, two)
        cleared, raised = cleared + down, raised + up
        first = each.change.first if first is None else first
        # What was written into erased flash, or erased, says nothing of its own.
        old, new = old and _into_erased(one, two), new and _into_erased(two, one)
    if cleared and not raised and not old:
        yield Pattern("bits-cleared", _bit_words("B", cleared), first)
    elif raised and not cleared and not new:
        yield Pattern("bits-cleared", _bit_words("A", raised), first)


def _has_fields(pair: Pair) -> bool:
    """Whether people and tools set values there, whose bits tell nothing."""
    return pair.name.endswith("header") or pair.kind in _WITH_FIELDS


def _bit_words(name: str, count: int) -> str:
    bits = f"{count:,} bit{'' if count == 1 else 's'}"
    other = "A" if name == "B" else "B"
    return (
        f"every bit that differs ({bits}) is 0 in {name} and 1 in {other}: the flash of {name} is worn or "
        "disturbed, or was written over without erase"
    )


def _into_erased(before: bytes, after: bytes) -> bool:
    """Whether everything that differs was erased before."""
    size = min(len(before), len(after))
    if before[:size] == after[:size]:
        return True
    mask = int.from_bytes(before[:size], "big") ^ int.from_bytes(after[:size], "big")
    changed = mask.to_bytes(size, "big")
    # A translation table keeps this at C speed: 1 where a byte changed.
    touched = changed.translate(bytes([0]) + b"\xff" * 255)
    seen = int.from_bytes(touched, "big")
    return int.from_bytes(before[:size], "big") & seen == seen


def _sectors(
    a: bytes, b: bytes, spans: Sequence[tuple[int, int]], filled: Container[int]
) -> Iterator[Pattern]:
    size = min(len(a), len(b))
    wrong = [
        start
        for start in range(0, size, SECTOR)
        if a[start : start + SECTOR] != b[start : start + SECTOR]
        and any(
            one < start + SECTOR and start < two and _differs(a, b, max(one, start), min(two, start + SECTOR))
            for one, two in spans
        )
    ]
    if not wrong:
        return
    interrupted = _interrupted(a, b, wrong, spans)
    if interrupted is not None:
        yield interrupted
        return
    for name, erased, kept in (("B", b, a), ("A", a, b)):
        gone = [
            start
            for start in wrong
            if erased[start : start + SECTOR] == _ERASED
            and kept[start : start + SECTOR] != _ERASED
            and not (name == "A" and start in filled)
        ]
        for start, stop in _runs(gone):
            count = (stop - start) // SECTOR
            message = f"{_sector_words(count)} from 0x{start:06x} on {_is(count)} erased in {name}"
            yield Pattern("erased", message, start, stop - start)
    yield from _displaced(a, b, wrong)


def _differs(a: bytes, b: bytes, start: int, stop: int) -> bool:
    return a[start:stop] != b[start:stop]


def _sector_words(count: int) -> str:
    return "a sector" if count == 1 else f"{count} sectors"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _runs(starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Sectors that follow each other, as start and stop."""
    run: list[int] = []
    for start in starts:
        if run and start != run[-1] + SECTOR:
            yield run[0], run[-1] + SECTOR
            run = []
        run.append(start)
    if run:
        yield run[0], run[-1] + SECTOR


def _interrupted(
    a: bytes, b: bytes, wrong: Sequence[int], spans: Sequence[tuple[int, int]]
) -> Pattern | None:
    """Whether one file is the other up to some offset, and nothing of it from there on."""
    start, stop = next((one, two) for one, two in sorted(spans) if a[one:two] != b[one:two])
    first = start + (difference(a[start:stop], b[start:stop])[1] or 0)
    for name, part, whole in (("B", b, a), ("A", a, b)):
        end = fill.run_start(whole, first, stop)
        if first > start and end - first >= SECTOR and fill.is_fill(part, first, stop):
            message = f"{name} is erased from 0x{first:06x} on: writing or reading stopped there"
            return Pattern("interrupted", message, first, end - first)
    stop = max(two for _, two in spans)
    end = max(fill.run_start(whole, first, stop) for whole in (a, b))
    behind = range(first // SECTOR * SECTOR + SECTOR, end // SECTOR * SECTOR, SECTOR)
    known = set(wrong)
    if first < SECTOR or len(behind) < _LEAST_TAIL:
        return None
    if all(at in known and _unlike(a[at : at + SECTOR], b[at : at + SECTOR]) for at in behind):
        message = (
            f"all sectors from 0x{first:06x} on differ: a write that was interrupted there, or two builds"
        )
        return Pattern("interrupted", message, first, end - first)
    return None


def _unlike(one: bytes, two: bytes) -> bool:
    """Whether most of the bytes differ: not the same sector with a change."""
    return 2 * difference(one, two)[0] > len(one)


def _displaced(a: bytes, b: bytes, wrong: Sequence[int]) -> Iterator[Pattern]:
    """Sectors of A that stand at another place in B: swapped, or shifted in a run."""
    places: dict[bytes, int | None] = {}
    for start in range(0, len(a) - SECTOR + 1, SECTOR):
        block = a[start : start + SECTOR]
        # What stands twice has no place of its own.
        places[block] = None if block in places else start
    came: dict[int, int] = {}
    for start in wrong:
        block = b[start : start + SECTOR]
        place = places.get(block)
        if place is not None and block != block[:1] * SECTOR:
            came[start] = place
    swapped = sorted(to for to, origin in came.items() if came.get(origin) == to and to < origin)
    for start in swapped[:_NAMED]:
        message = f"the sectors at 0x{start:06x} and 0x{came[start]:06x} are swapped"
        yield Pattern("swapped", message, start, SECTOR)
    pairs = {each for start in swapped for each in (start, came[start])}
    left = {to: origin for to, origin in came.items() if to not in pairs}
    for shift in sorted({to - origin for to, origin in left.items()}):
        for start, stop in list(_runs([to for to, origin in left.items() if to - origin == shift]))[:_NAMED]:
            count = (stop - start) // SECTOR
            message = (
                f"{_sector_words(count)} at 0x{start:06x} in B {_is(count)} what A has at "
                f"0x{start - shift:06x}: shifted by {'+' if shift > 0 else '-'}0x{abs(shift):x}"
            )
            yield Pattern("shifted", message, start, stop - start)
