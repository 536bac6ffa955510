"""Which bytes of A stand beside which bytes of B: the pairs cover each file once, without holes.

Files that show a flash from address 0 are laid over each other by offset, and cut wherever a part begins or
ends in either of them.  Images that begin at the same place are taken apart: header, segments by their load
address, checksum.  So are parts that moved.  Files of another structure are compared part by part.
Not what a difference means: that is rules.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from imgtool.formats import fill
from imgtool.formats.images import version1
from imgtool.formats.reading import FileKind, Header, Part, PartKind
from imgtool.formats.registry import identify
from imgtool.operations.compare.byte_pairs import difference
from imgtool.operations.inspect.describe import AT_FLASH_START, Description, describe
from imgtool.operations.inspect.survey_plan import reserved_regions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from imgtool.layout.regions import Region

__all__ = ["FILLERS", "Atom", "ComparedFile", "Pair", "pairs_of", "side_of"]

FILLERS: Final = frozenset({PartKind.GAP, PartKind.BLANK})
"""Parts that hold nothing."""

_DEEPEST: Final = 2  # as describe looks into files
_HEADER_SIZE: Final = 8  # of an image, and of a segment
_IMAGES: Final = frozenset({PartKind.IMAGE_V1, PartKind.BOOTLOADER, PartKind.APP})
_LEAST_MOVED: Final = 64  # less may stand at two places by chance
# Where the two files have different parts at a place, it is called after the one that comes first here.
_RANK: Final = (
    PartKind.PARTITION_TABLE,
    PartKind.RBOOT_CONFIG,
    PartKind.INIT_DATA,
    PartKind.RF_CAL,
    PartKind.SYSTEM_PARAM,
    PartKind.BOOTLOADER,
    PartKind.IMAGE_V1,
    PartKind.IMAGE_V2,
    PartKind.APP,
    PartKind.LENGTH_CRC_WORDS,
    PartKind.CRC_TAIL,
    PartKind.MD5_TAIL,
    PartKind.SHA256_TAIL,
    PartKind.LFS,
    PartKind.SPIFFS,
    PartKind.LITTLEFS,
    PartKind.USER_DATA,
    PartKind.IROM,
    PartKind.UNKNOWN,
    PartKind.GAP,
    PartKind.BLANK,
)


@dataclass(frozen=True, slots=True)
class ComparedFile:
    """One of the files, unwrapped and described.

    Attributes:
        data: The bytes that are compared.
        description: What they are.
        regions: What the firmware in them reserves.
        wrapper: Kind of the file, where it only wraps these bytes.
    """

    data: bytes
    description: Description
    regions: tuple[Region, ...] = ()
    wrapper: FileKind | None = None

    @property
    def is_dump(self) -> bool:
        """Whether it is a whole flash."""
        return self.description.kind is FileKind.FLASH_DUMP

    @property
    def at_start(self) -> bool:
        """Whether its offsets are flash addresses."""
        return self.is_dump or self.description.kind in AT_FLASH_START

    def region_at(self, start: int, stop: int) -> Region | None:
        """The reserved region that holds that stretch."""
        return next((r for r in self.regions if r.start <= start and stop <= r.end), None)


def side_of(data: bytes) -> ComparedFile:
    """Describe a file, or what is inside where it only wraps another."""
    wrapper = None
    reading = identify(data)
    for _ in range(_DEEPEST):
        if reading.content is None:
            break
        wrapper = wrapper or reading.kind
        data = reading.content
        reading = identify(data)
    description = describe(data)
    known = reading.kind in AT_FLASH_START or description.kind is FileKind.FLASH_DUMP
    return ComparedFile(
        data, description, reserved_regions(data, reading, description.firmware) if known else (), wrapper
    )


@dataclass(frozen=True, slots=True)
class Atom:
    """A stretch of one file that is not cut further.

    Attributes:
        part: The part that it belongs to.
        name: ``header``, ``segment 0x40100000``, ``checksum``, or empty for a whole part.
        start: Its first offset.
        stop: The offset behind it.
        address: Where its first byte is seen by the processor, None where nowhere.
        header: The image header in it.
        lead: Bytes at its start that are not loaded: a segment's own header.
    """

    part: Part
    name: str
    start: int
    stop: int
    address: int | None = None
    header: Header | None = None
    lead: int = 0

    def address_of(self, offset: int) -> int | None:
        """Where the processor sees the byte at an offset of the file, None where nowhere."""
        if self.address is None or offset < self.start + self.lead:
            return None
        return self.address + offset - self.start - self.lead


@dataclass(frozen=True, slots=True)
class Pair:
    """A stretch of A beside one of B, one of which may be missing.

    Attributes:
        kind: What it is.
        name: Name of the atoms, else empty.
        a: In A: start and stop; None for nothing.
        b: Likewise in B.
        atom_a: What it is in A.
        atom_b: What it is in B.
        kinds_a: All that A has there.
        kinds_b: All that B has there.
        moved: Whether the same bytes stand at another place.
    """

    kind: PartKind
    name: str
    a: tuple[int, int] | None
    b: tuple[int, int] | None
    atom_a: Atom | None
    atom_b: Atom | None
    kinds_a: frozenset[PartKind] = frozenset()
    kinds_b: frozenset[PartKind] = frozenset()
    moved: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """By where it stands."""
        a, b = (None if span is None else span[0] for span in (self.a, self.b))
        return (a if a is not None else b or 0, b if b is not None else a or 0)

    def bytes_of(self, a: ComparedFile, b: ComparedFile) -> tuple[bytes, bytes]:
        """Its bytes on both sides."""
        one = b"" if self.a is None else a.data[slice(*self.a)]
        return one, b"" if self.b is None else b.data[slice(*self.b)]


def pairs_of(a: ComparedFile, b: ComparedFile) -> tuple[tuple[Pair, ...], bool]:
    """All pairs in the order of A, and whether the files were laid over each other by offset.

    Files of one kind whose parts begin at other offsets are paired in the way that leaves less to tell.
    """
    atoms_a, atoms_b = _atoms_of(a), _atoms_of(b)
    over = list(_by_offset(a, b, atoms_a, atoms_b)) if _may_lie_over(a, b) else None
    parts = list(_by_part(a, b, atoms_a, atoms_b)) if over is None or _may_be_matched(a, b) else None
    if over is not None and (parts is None or _changed(over, a, b) <= _changed(parts, a, b)):
        parts, by_offset = over, True
    else:
        by_offset = False
    cut = [each for pair in parts or () for each in _without_fill(pair, a, b)]
    ordered = sorted(cut, key=lambda pair: (not by_offset and pair.a is None, pair.order))
    return tuple(ordered), by_offset


def _may_lie_over(a: ComparedFile, b: ComparedFile) -> bool:
    """Whether the same offset may mean the same in both files."""
    if a.description.foreign or b.description.foreign or (a.at_start and b.at_start):
        return True
    return a.description.kind is b.description.kind


def _may_be_matched(a: ComparedFile, b: ComparedFile) -> bool:
    """Whether parts of the two may be the same although they begin at other offsets."""
    plain = (FileKind.AGGREGATED, FileKind.IMAGE_V1, FileKind.FLASH_DUMP)
    one, two = a.description, b.description
    if one.kind is not two.kind or one.foreign or one.kind in plain:
        return False
    return _starts(a) != _starts(b)


def _starts(side: ComparedFile) -> list[tuple[PartKind, int]]:
    return [(part.kind, part.offset) for part in side.description.parts if part.kind not in FILLERS]


def _changed(pairs: Iterable[Pair], a: ComparedFile, b: ComparedFile) -> int:
    return sum(difference(*pair.bytes_of(a, b))[0] for pair in pairs)


def _atoms_of(side: ComparedFile) -> list[Atom]:
    """The parts of a file, images taken apart."""
    return [atom for part in side.description.parts for atom in _atoms(side.data, part)]


def _atoms(data: bytes, part: Part) -> Iterator[Atom]:
    if part.kind is PartKind.IMAGE_V2 and part.size >= _HEADER_SIZE:
        yield Atom(part, "outer header", part.offset, part.end, header=_header(data, part.offset, version=2))
        return
    if part.kind not in _IMAGES:
        if part.size:
            yield Atom(part, "", part.offset, part.end, part.address)
        return
    position = part.offset
    # An image with a wrong first byte is told by what follows it.
    begins = part.segments and part.segments[0].offset == position + 2 * _HEADER_SIZE
    if part.size >= _HEADER_SIZE and (begins or data[position] == version1.MAGIC):
        position += _HEADER_SIZE
        yield Atom(part, "header", part.offset, position, header=_header(data, part.offset))
    for segment in part.segments:
        stop = min(segment.offset + segment.size, part.end)
        if stop > position:
            lead = max(0, segment.offset - position)
            address = segment.address + max(0, position - segment.offset)
            yield Atom(part, f"segment 0x{segment.address:08x}", position, stop, address, lead=lead)
            position = stop
    if position < part.end:
        yield Atom(part, "checksum" if part.segments else "", position, part.end)


def _header(data: bytes, offset: int, version: int = 1) -> Header:
    """The header at an offset, whatever its first byte is; both versions have these fields alike."""
    entry = int.from_bytes(data[offset + 4 : offset + 8], "little")
    return Header(version, entry, data[offset + 2], data[offset + 3])


def _by_offset(
    a: ComparedFile, b: ComparedFile, atoms_a: Sequence[Atom], atoms_b: Sequence[Atom]
) -> Iterator[Pair]:
    """The atoms of images at the same place, what moved, and the rest cut at every boundary."""
    images = [
        (one, two)
        for one in a.description.parts
        for two in b.description.parts
        if one.kind in _IMAGES and two.kind in _IMAGES and one.offset == two.offset
    ]
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    for one, two in images:
        ours = [atom for atom in atoms_a if atom.part is one]
        theirs = [atom for atom in atoms_b if atom.part is two]
        matched = list(_matched(ours, theirs))
        plain = difference(a.data[one.offset : one.end], b.data[two.offset : two.end])[0]
        # A damaged length makes other segments of the same bytes: then offsets say more.
        if _changed(matched, a, b) < plain:
            taken_a.add(one.offset)
            taken_b.add(two.offset)
            yield from matched
    for pair in _moved(a, b):
        if pair.a and pair.b and pair.a[0] not in taken_a and pair.b[0] not in taken_b:
            taken_a.add(pair.a[0])
            taken_b.add(pair.b[0])
            yield pair
    left_a = [atom for atom in atoms_a if atom.part.offset not in taken_a]
    left_b = [atom for atom in atoms_b if atom.part.offset not in taken_b]
    yield from _joined(_cells(left_a, left_b))


def _moved(a: ComparedFile, b: ComparedFile) -> Iterator[Pair]:
    """Parts whose bytes stand in the other file at another place, and not at their own."""
    places: dict[bytes, Part] = {}
    for part in b.description.parts:
        if _may_move(b, part):
            places.setdefault(b.data[part.offset : part.end], part)
    for part in a.description.parts:
        block = a.data[part.offset : part.end]
        other = places.get(block) if _may_move(a, part) else None
        if other is None or other.offset == part.offset or part.kind is not other.kind:
            continue
        stays = b.data[part.offset : part.end] == block
        came = a.data[other.offset : other.end] == block
        if not stays and not came:
            one = Atom(part, "", part.offset, part.end, part.address)
            two = Atom(other, "", other.offset, other.end, other.address)
            yield replace(_pair(one, two), moved=True)


def _may_move(side: ComparedFile, part: Part) -> bool:
    full = part.kind not in FILLERS and part.size >= _LEAST_MOVED
    return full and not fill.is_fill(side.data, part.offset, part.end, side.data[part.offset])


def _matched(atoms_a: Sequence[Atom], atoms_b: Sequence[Atom]) -> Iterator[Pair]:
    """The atoms of two images by name; segments that are left over by their order."""
    rest = list(atoms_b)
    alone: list[Atom] = []
    for one in atoms_a:
        two = next((atom for atom in rest if atom.name == one.name), None)
        if two is None:
            alone.append(one)
        else:
            rest.remove(two)
            yield _pair(one, two)
    if len(alone) == len(rest):
        yield from (_pair(one, two) for one, two in zip(alone, rest, strict=True))
        return
    yield from (_pair(one, None) for one in alone)
    yield from (_pair(None, two) for two in rest)


def _pair(one: Atom | None, two: Atom | None) -> Pair:
    known = [atom for atom in (one, two) if atom is not None]
    return Pair(
        min((atom.part.kind for atom in known), key=_RANK.index),
        known[0].name,
        None if one is None else (one.start, one.stop),
        None if two is None else (two.start, two.stop),
        one,
        two,
        frozenset() if one is None else frozenset({one.part.kind}),
        frozenset() if two is None else frozenset({two.part.kind}),
    )


def _cells(atoms_a: Sequence[Atom], atoms_b: Sequence[Atom]) -> Iterator[Pair]:
    """Both files cut at every boundary that either of them has."""
    bounds = sorted({edge for atom in (*atoms_a, *atoms_b) for edge in (atom.start, atom.stop)})
    walk_a, walk_b = _PairWalk(atoms_a), _PairWalk(atoms_b)
    for start, stop in pairwise(bounds):
        one, two = walk_a.at(start), walk_b.at(start)
        if one is None and two is None:
            continue
        pair = _pair(one, two)
        owner = min((atom for atom in (one, two) if atom), key=_rank)
        span = (start, stop)
        yield replace(pair, name=owner.name, a=None if one is None else span, b=None if two is None else span)


def _rank(atom: Atom) -> tuple[int, bool]:
    """Whose name counts: the rarer kind's, and of one kind the one that has a name."""
    return _RANK.index(atom.part.kind), not atom.name


class _PairWalk:
    """Finds the atom at rising offsets."""

    def __init__(self, atoms: Sequence[Atom]) -> None:
        self._atoms = atoms
        self._next = 0

    def at(self, offset: int) -> Atom | None:
        """The atom that holds the offset."""
        while self._next < len(self._atoms) and self._atoms[self._next].stop <= offset:
            self._next += 1
        found = self._atoms[self._next] if self._next < len(self._atoms) else None
        return found if found is not None and found.start <= offset else None


def _joined(cells: Iterable[Pair]) -> Iterator[Pair]:
    """Neighbours of one kind and name become one."""
    current: Pair | None = None
    for cell in cells:
        if current is not None and _joins(current, cell):
            current = replace(
                current,
                a=None if current.a is None or cell.a is None else (current.a[0], cell.a[1]),
                b=None if current.b is None or cell.b is None else (current.b[0], cell.b[1]),
                atom_a=_better(current.atom_a, cell.atom_a, current.kind),
                atom_b=_better(current.atom_b, cell.atom_b, current.kind),
                kinds_a=current.kinds_a | cell.kinds_a,
                kinds_b=current.kinds_b | cell.kinds_b,
            )
            continue
        if current is not None:
            yield current
        current = cell
    if current is not None:
        yield current


def _joins(one: Pair, two: Pair) -> bool:
    goes_on = any(
        atom is not None and span is not None and atom.start < span[0]
        for atom, span in ((two.atom_a, two.a), (two.atom_b, two.b))
    )
    return (one.kind, one.name, True) == (two.kind, two.name, goes_on) and all(
        (left is None and right is None) or (left is not None and right is not None and left[1] == right[0])
        for left, right in ((one.a, two.a), (one.b, two.b))
    )


def _better(one: Atom | None, two: Atom | None, kind: PartKind) -> Atom | None:
    """The atom that is of that kind."""
    return two if two is not None and (one is None or one.part.kind is not kind) else one


def _by_part(
    a: ComparedFile, b: ComparedFile, atoms_a: Sequence[Atom], atoms_b: Sequence[Atom]
) -> Iterator[Pair]:
    """Parts of one kind beside each other: the ones that are most alike first, then in their order."""
    left_a, left_b = list(atoms_a), list(atoms_b)
    for key in dict.fromkeys(_key(atom) for atom in atoms_a):
        ours = [atom for atom in left_a if _key(atom) == key]
        theirs = [atom for atom in left_b if _key(atom) == key]
        ranked = sorted(
            (
                (_unlike(a, one, b, two), at, to)
                for at, one in enumerate(ours)
                for to, two in enumerate(theirs)
            ),
        )
        used: set[tuple[str, int]] = set()
        for _, at, to in ranked:
            if ("a", at) in used or ("b", to) in used:
                continue
            used |= {("a", at), ("b", to)}
            yield _pair(ours[at], theirs[to])
            left_a.remove(ours[at])
            left_b.remove(theirs[to])
    yield from (_pair(one, None) for one in left_a)
    yield from (_pair(None, two) for two in left_b)


def _key(atom: Atom) -> tuple[str, str]:
    if atom.part.kind in _IMAGES:
        return "image", atom.name
    return ("gap" if atom.part.kind in FILLERS else str(atom.part.kind)), atom.name


def _unlike(a: ComparedFile, one: Atom, b: ComparedFile, two: Atom) -> int:
    return difference(a.data[one.start : one.stop], b.data[two.start : two.stop])[0]


def _without_fill(pair: Pair, a: ComparedFile, b: ComparedFile) -> Iterator[Pair]:
    """The pair, and apart from it the fill that only one side has behind the bytes of both."""
    if pair.a is None or pair.b is None or pair.name:
        yield pair
        return
    size = min(pair.a[1] - pair.a[0], pair.b[1] - pair.b[0])
    for side, span, atom in ((a, pair.a, pair.atom_a), (b, pair.b, pair.atom_b)):
        edge = span[0] + size
        if edge >= span[1]:
            continue
        value = side.data[edge] if pair.kind in FILLERS else fill.ERASED
        if fill.is_fill(side.data, edge, span[1], value):
            kind = pair.kind if pair.kind in FILLERS else PartKind.BLANK
            ours = side is a
            yield replace(
                pair,
                a=(pair.a[0], min(pair.a[1], pair.a[0] + size)),
                b=(pair.b[0], min(pair.b[1], pair.b[0] + size)),
            )
            yield Pair(
                kind,
                "",
                (edge, span[1]) if ours else None,
                None if ours else (edge, span[1]),
                atom if ours else None,
                None if ours else atom,
                frozenset({kind}) if ours else frozenset(),
                frozenset() if ours else frozenset({kind}),
            )
            return
    yield pair
