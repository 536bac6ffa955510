"""The bytes of a flash plan: cutting pieces, laying one over another, filling them up to whole sectors.

Not what goes where: that is decided in plan.py and the modules beside it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.errors import LayoutError
from imgtool.formats import fill
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding, Severity
from imgtool.layout.regions import align_up
from imgtool.operations.assemble.joining import lay_out
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.checks import waive
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.flashing.draft import Device, Draft

__all__ = ["check_overlaps", "into_fill", "is_fill", "over", "whole_sectors", "without_fill"]

_ERASED_SECTOR: Final = bytes([fill.ERASED]) * SECTOR


def is_fill(piece: Piece, start: int, stop: int) -> bool:
    """Whether the piece has nothing but erased bytes in a stretch of the flash."""
    return fill.is_fill(
        piece.data, max(0, start - piece.address), max(0, min(len(piece.data), stop - piece.address))
    )


def cut(piece: Piece, start: int, stop: int) -> list[Piece]:
    """What is left of a piece without a stretch of the flash."""
    if piece.end <= start or stop <= piece.address:
        return [piece]
    before = replace(piece, data=piece.data[: max(0, start - piece.address)])
    behind = (
        replace(piece, address=stop, data=piece.data[stop - piece.address :]) if stop < piece.end else None
    )
    return [part for part in (before, behind) if part is not None and part.data]


def over(pieces: Iterable[Piece], new: Sequence[Piece]) -> list[Piece]:
    """The pieces with new ones over them."""
    left = list(pieces)
    for each in new:
        left = [part for piece in left for part in cut(piece, each.address, each.end)]
    return sorted([*left, *new], key=lambda piece: piece.address)


def without_fill(pieces: Iterable[Piece], start: int, stop: int) -> list[Piece]:
    """The pieces without a stretch of the flash, where that is nothing but fill in them."""
    return [
        part
        for piece in pieces
        for part in (cut(piece, start, stop) if is_fill(piece, start, stop) else [piece])
    ]


def into_fill(pieces: Iterable[Piece], new: Piece) -> list[Piece]:
    """The pieces and a new one, which may take the place of fill in them."""
    return sorted([*without_fill(pieces, new.address, new.end), new], key=lambda piece: piece.address)


def check_overlaps(pieces: Sequence[Piece]) -> None:
    """What was added by name must not overlap what has an address.

    Raises:
        LayoutError: Two pieces claim the same bytes.
    """
    if any(one.end > two.address for one, two in pairwise(pieces)):
        lay_out(pieces)


def whole_sectors(
    draft: Draft, content: FlashContent, device: Device, force: frozenset[str]
) -> tuple[Piece, ...]:
    """The pieces filled up to whole sectors, those that share a sector as one.

    The rest of a sector behind firmware, init data or a file system is theirs and is erased.  In front of a
    piece, and behind bytes of which imgtool does not know whose they are, it is the device's and stays.
    """
    loose = [
        piece
        for piece, description in content.pieces
        if not KINDS[description.kind].owns_sectors and not content.dump
    ]
    whole: list[Piece] = []
    for group in _sharing(draft.pieces):
        start, stop = group[0].address // SECTOR * SECTOR, align_up(group[-1].end, SECTOR)
        if len(group) == 1 and (start, stop) == (group[0].address, group[0].end):
            whole.append(group[0])
            continue
        data = bytearray([fill.ERASED]) * (stop - start)
        for address in _partial(group):
            data[address - start : address - start + SECTOR] = _rest_of(
                draft, address, group, loose, device, force
            )
        for piece in group:
            data[piece.address - start : piece.end - start] = piece.data
        name = Phrase.joined(" and ", dict.fromkeys(piece.name for piece in group))
        whole.append(Piece(start, bytes(data), name))
    return tuple(whole)


def _sharing(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces in groups that share sectors."""
    numbers: list[int] = []
    for index, piece in enumerate(pieces):
        shares = index and piece.address // SECTOR <= (pieces[index - 1].end - 1) // SECTOR
        numbers.append(numbers[-1] if shares else index)
    return [
        [piece for _, piece in members]
        for _, members in groupby(zip(numbers, pieces, strict=True), lambda e: e[0])
    ]


def _partial(group: Sequence[Piece]) -> list[int]:
    """The sectors that the pieces of a group leave partly open."""
    sectors = {address // SECTOR * SECTOR for piece in group for address in (piece.address, piece.end - 1)}
    covered = {
        sector: sum(max(0, min(p.end, sector + SECTOR) - max(p.address, sector)) for p in group)
        for sector in sectors
    }
    return sorted(sector for sector, count in covered.items() if count < SECTOR)


def _rest_of(
    draft: Draft,
    sector: int,
    group: Sequence[Piece],
    loose: Sequence[Piece],
    device: Device,
    force: frozenset[str],
) -> bytes:
    """What a sector holds beside the pieces in it."""
    inside = [piece for piece in group if piece.address < sector + SECTOR and sector < piece.end]
    led = min(piece.address for piece in inside) - sector
    open_tail = any(piece.address < sector + SECTOR and sector < piece.end for piece in loose)
    if device.erased or not (led > 0 or open_tail):
        return _ERASED_SECTOR
    name = inside[-1].name
    if device.read is not None:
        draft.changes.append(
            Phrase(f"the other bytes of the sector at 0x{sector:06x} stay as they are, beside ", name)
        )
        return device.read(sector, SECTOR)
    if led > 0:
        error = LayoutError(
            f"the sector's first {in_bytes(led)} would be lost, as the flash cannot be read",
            source=name,
            offset=sector,
            expected="an address at the start of a sector",
            found=f"0x{inside[0].address:06x}",
        )
        draft.findings.append(waive(error, "sector", force))
    else:
        end = max(piece.end for piece in inside)
        message = Phrase(
            f"0x{end:06x} to 0x{sector + SECTOR - 1:06x}, behind ", name, ", is erased, as it cannot be read"
        )
        draft.findings.append(Finding(Severity.WARNING, "sector-tail", message, end))
    return _ERASED_SECTOR
