"""What a comparison consists of, as frozen values: regions, fields, patterns.

Not the comparing: that is files.py and its neighbours.  Offsets are those of the bytes that were compared:
of the contents, where a file only wraps another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Compared", "Comparison", "DiffState", "FieldChange", "Pattern", "RegionChange"]


class DiffState(StrEnum):
    """What became of a region or a field."""

    SAME = "same"
    FIRMWARE = "firmware"
    """It differs, and the firmware in it is known to change it by itself."""
    DIFFERS = "differs"
    OUTSIDE = "outside"
    """Only one file has it, and that is no difference, as the other does not reach so far, or it is blank."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the two files.

    Attributes:
        size: Bytes of the file.
        sha256: Their digest, lower-case hex.
        kind: What the file is.
        content: What was compared instead of it, where the file only wraps another; else None.
    """

    size: int
    sha256: str
    kind: str
    content: Compared | None = None

    @property
    def inner(self) -> Compared:
        """What was compared."""
        return self if self.content is None else self.content


@dataclass(frozen=True, slots=True)
class RegionChange:
    """One stretch of A beside its counterpart in B.

    The regions cover each file once, without holes.

    Attributes:
        kind: A kind of part, such as ``irom``.
        name: What to call it: ``header``, ``segment 0x40100000``, or the kind.
        offset_a: Where it begins in A, None where A has none of it.
        offset_b: Likewise in B.
        size_a: Bytes in A.
        size_b: Bytes in B.
        state: What became of it.
        reason: Why the state is that, in words; empty where the bytes say it all.
        bytes: How many bytes differ, with those that only one file has.
        first: Offset of the first of these in A, or in B where A has none of it; None for none.
        address: Where that byte is seen by the processor, where it has an address.
        sectors: How many flash sectors differ.
    """

    kind: str
    name: str
    offset_a: int | None
    offset_b: int | None
    size_a: int
    size_b: int
    state: DiffState
    reason: str = ""
    bytes: int = 0
    first: int | None = None
    address: int | None = None
    sectors: int = 0

    @property
    def size(self) -> int:
        """Bytes, of the larger side."""
        return max(self.size_a, self.size_b)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A named value that differs.

    Attributes:
        region: Name of the region that holds it.
        name: Its own name.
        a: The value in A, in words; None where A has none.
        b: Likewise in B.
        state: Whether the firmware changes it by itself, or it differs.
        reason: Why, in words.
    """

    region: str
    name: str
    a: str | None
    b: str | None
    state: DiffState = DiffState.DIFFERS
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the differing bytes look like: a sort of damage, or a part that moved.

    Attributes:
        code: Short stable name.
        message: The sentence for people.
        offset: Where it begins, None where it is about the whole file.
        size: Bytes that it is about.
    """

    code: str
    message: str
    offset: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference of two files.

    Attributes:
        a: The first file: the older one, or what was flashed.
        b: The second one.
        same: Whether what was compared is the same, byte for byte.
        verdict: The result in one sentence, without a full stop.
        regions: In the order of A, those of B alone at their places.
        fields: Named values that differ.
        patterns: What the differing bytes look like.
        notes: How it was compared, where that is not plain.
    """

    a: Compared
    b: Compared
    same: bool
    verdict: str
    regions: tuple[RegionChange, ...]
    fields: tuple[FieldChange, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything differs that the firmware does not change by itself."""
        other_kind = any(field.region == "file" for field in self.fields)
        return other_kind or any(region.state is DiffState.DIFFERS for region in self.regions)
