"""Where files that stand in the wrong place would be right: the cure of places.py and layout_places.py.

No verdict: whoever refuses asks for the cure.  Only what is certain is named: an address that the layout of
the firmware among the files has, on a flash size that is known, or the name of such a place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR, flash_size
from imgtool.errors import ImgtoolError, Move
from imgtool.formats import fill
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.registry import identify
from imgtool.layout.file_places import filesystem_start
from imgtool.layout.fit import layout_for
from imgtool.layout.regions import align_up
from imgtool.operations.assemble.extras import check_layout_known, irom_end_of, kept_layout, table_of
from imgtool.operations.assemble.joining import join, lay_out
from imgtool.operations.inspect.describe import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.chip import FlashSize
    from imgtool.layout.regions import FlashLayout
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.inspect.describe import Description

__all__ = ["parted", "right_places"]

_ANY_SIZE: Final = flash_size("4MB")  # of which all firmware has a layout, if it has any


def parted(pieces: Iterable[Piece]) -> tuple[list[Piece], list[tuple[Piece, FileKind]]]:
    """Pieces apart: the firmware, and what goes to a region of its layout, with its kind."""
    firmware: list[Piece] = []
    others: list[tuple[Piece, FileKind]] = []
    for piece in pieces:
        kind = identify(piece.data).kind if piece.data else FileKind.EMPTY
        if KINDS[kind].region is None:
            firmware.append(piece)
        else:
            others.append((piece, kind))
    return firmware, others


def right_places(
    pieces: Iterable[Piece],
    flash: FlashSize | None = None,
    *,
    known: Sequence[Move] = (),
    by_name: frozenset[FileKind] = frozenset(),
) -> tuple[Move, ...]:
    """Where the files would be right that go to a region of the firmware's layout and stand elsewhere.

    Args:
        pieces: All that has an address.
        flash: The flash size; None where a device has to tell it.
        known: What is known already, which counts more.
        by_name: Kinds that go to their place by its name, even where the address is known.

    Returns:
        The moves, those that are known first; none where two files would go to one place.
    """
    firmware, others = parted(pieces)
    moves = {move.file: move for move in known}
    what = _described(firmware) if others else None
    layout = None if what is None or flash is None else _layout(what, flash)
    for piece, kind in others:
        address = None if layout is None else _address(piece, kind, layout, what)
        if piece.name not in moves:
            place = address if layout is not None else _name(kind, what, asks_device=flash is None)
            if place is None or place == piece.address:
                continue
            moves[piece.name] = Move(piece.name, place)
        if kind in by_name or kind is FileKind.LFS or _taken(moves[piece.name], piece, firmware):
            moves[piece.name] = Move(piece.name, KINDS[kind].place_name or moves[piece.name].place)
    places = [move.place for move in moves.values()]
    names = [piece.name for piece, _ in others]
    clear = len({*places}) == len(places) and len({*names}) == len(names)
    return tuple(moves.values()) if clear else ()


def _taken(move: Move, piece: Piece, firmware: Iterable[Piece]) -> bool:
    """Whether a file of the firmware goes over a place, which only a place by name may be put into."""
    start = move.place
    if isinstance(start, str):
        return False
    return any(each.address < start + len(piece.data) and start < each.end for each in firmware)


def _described(firmware: Sequence[Piece]) -> Description | None:
    """What the firmware is; None where there is none that can be put together."""
    try:
        ordered = lay_out(firmware)
        return describe(join(ordered, ordered[-1].end, fill.ERASED))
    except ImgtoolError:
        return None


def _layout(what: Description, flash: FlashSize) -> FlashLayout | None:
    """The layout of a firmware; None where none is known."""
    kept = kept_layout(what, flash)
    if kept is not None:
        return kept
    try:
        check_layout_known(what, None)
        return layout_for(flash, what.firmware, table_of(what), irom_end_of(what))
    except ImgtoolError:
        return None


def _name(kind: FileKind, what: Description | None, *, asks_device: bool) -> str | None:
    """The name of the place for a kind of file, where a device will tell its address; None for none."""
    if not asks_device:
        return None
    if what is not None:
        layout = _layout(what, _ANY_SIZE)
        if layout is None or what.kind is FileKind.MICROPYTHON:
            return None
        if KINDS[kind].region is PartKind.LFS and layout.find(PartKind.LFS) is None:
            return None
    return KINDS[kind].place_name or None


def _address(piece: Piece, kind: FileKind, layout: FlashLayout, what: Description | None) -> int | None:
    """Where the firmware looks for a file, if it has room there; None where that is not known."""
    wanted = KINDS[kind].region
    region = None if wanted is None else layout.find(wanted)
    if region is not None:
        return region.start if len(piece.data) <= region.size else None
    if wanted is not PartKind.SPIFFS or what is None or kind is not FileKind.SPIFFS:
        return None
    start = filesystem_start(layout, what.firmware, align_up(irom_end_of(what), SECTOR))
    if start is None:
        return None
    end = min((each.start for each in layout.regions if each.start >= start), default=layout.flash.bytes)
    return start if start + len(piece.data) <= end else None
