"""The checks of an image after a change: computed anew, where they were right before.

A check that was wrong before is not made right in silence: a change to what it covers is refused, and
repairing is an order of its own.  What a check covers is said by its format (imgtool.formats.reading.Cover).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.errors import FormatError
from imgtool.formats.checksums import stored_bytes, value_of
from imgtool.formats.first_bytes import right_start
from imgtool.formats.reading import Checksum, PartKind
from imgtool.operations.patch.edits import Edit, applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.inspect.describe import Description

__all__ = ["REPAIR", "mended", "refuse_values", "structure_repairs"]

REPAIR: Final = "repair"
"""The check that an error names where a repair would help."""

_XOR: Final = "xor8"


def refuse_values(description: Description, edits: Sequence[Edit]) -> None:
    """Refuse a change to a check value: it is computed.

    Raises:
        FormatError: An edit writes one.
    """
    for _, check in description.checksums:
        if check.cover is None:
            continue
        start = check.cover.place
        for edit in edits:
            if edit.offset < start + check.bits // 8 and start < edit.end:
                raise FormatError(
                    f"the {check.name} stands there, which is computed from the bytes that it covers",
                    offset=start,
                    expected="an address of what it covers",
                    found=f"0x{edit.offset:05x} to 0x{edit.end - 1:05x}",
                )


def mended(data: bytes, description: Description, edits: Sequence[Edit], *, repair: bool) -> tuple[Edit, ...]:
    """The checks that do not hold any more as edits, inner ones before those that cover them.

    Args:
        data: The bytes with the edits made.
        description: What the file was before them.
        edits: What was changed.
        repair: Whether checks that were wrong before are made right, too.

    Raises:
        FormatError: A check was wrong before and covers what was changed.
    """
    made: list[Edit] = []
    # The XOR lies inside what the others cover.
    for _, check in sorted(description.checksums, key=lambda item: item[1].algorithm != _XOR):
        cover = check.cover
        if cover is None:
            continue
        if not check.ok and not repair:
            if any(cover.touches(edit.offset, edit.end) for edit in edits):
                raise FormatError(
                    f"the {check.name} that covers the change was wrong before",
                    offset=cover.place,
                    expected=_shown(check, check.computed),
                    found=_shown(check, check.stored),
                    check=REPAIR,
                )
            continue
        value = _computed(data, check)
        if value != check.stored:
            block = stored_bytes(check.algorithm, value, check.bits)
            old, new = _shown(check, check.stored), _shown(check, value)
            made.append(Edit(cover.place, block, f"{check.name} check", old, new, follows=True))
            data = applied(data, made[-1:])
    return tuple(made)


def _computed(data: bytes, check: Checksum) -> int:
    cover = check.cover
    if cover is None:
        return check.stored
    if cover.zeroed is not None:
        start, stop = cover.zeroed
        data = data[:start] + bytes(stop - start) + data[stop:]
    return value_of(check.algorithm, [data[start:stop] for start, stop in cover.spans])


def _shown(check: Checksum, value: int) -> str:
    return f"0x{value:0{check.bits // 4}x}"


def structure_repairs(data: bytes, description: Description) -> tuple[Edit, ...]:
    """The first byte and the length word as the rest of the file shows that they must be, where they are not.

    A repair alone makes them; the checks that cover them are then computed anew.
    """
    made: list[Edit] = []
    codes = {finding.code for finding in description.findings}
    if "magic" in codes:
        start = right_start(data)
        places = (place for place, byte in enumerate(start) if data[place] != byte)
        made += (
            Edit(place, start[place : place + 1], "magic", f"0x{data[place]:02x}", f"0x{start[place]:02x}")
            for place in places
        )
    if "length" in codes:
        place = next(p.offset for p in description.parts if p.kind is PartKind.LENGTH_CRC_WORDS)
        covers = [c.cover for _, c in description.checksums if c.cover is not None and c.algorithm != _XOR]
        if covers:
            old, right = int.from_bytes(data[place : place + 4], "little"), covers[0].spans[-1][1]
            word = right.to_bytes(4, "little")
            made.append(Edit(place, word, "length word", f"0x{old:08x}", f"0x{right:08x}"))
    return tuple(made)
