"""An LFS or a file-system image put at its place in an image or a dump.

The place is the firmware's partition, where it looks for a file system, or an address that is given; nothing
of the firmware itself is written over.  Not the relocation of LFS: that is in imgtool.formats.containers.lfs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.errors import FormatError, LayoutError
from imgtool.formats import fill
from imgtool.formats.reading import Finding, PartKind
from imgtool.operations.assemble.extras import (
    AT_ITS_PLACE,
    filesystem_findings,
    irom_end_of,
    layout_of,
    place_filesystem,
    place_lfs,
    table_of,
)
from imgtool.operations.assemble.merge import check_in_flash
from imgtool.operations.patch.edits import Edit
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.inspect.describe import Description

__all__ = ["placed_edits"]

# What a file system or LFS image must not be written over.
_FIRMWARE: Final = (
    PartKind.APP,
    PartKind.BOOTLOADER,
    PartKind.CRC_TAIL,
    PartKind.IMAGE_V1,
    PartKind.IMAGE_V2,
    PartKind.INIT_DATA,
    PartKind.IROM,
    PartKind.MD5_TAIL,
    PartKind.PARTITION_TABLE,
    PartKind.RF_CAL,
    PartKind.SHA256_TAIL,
    PartKind.SYSTEM_PARAM,
)


def placed_edits(
    data: bytes, description: Description, lfs: Piece | None, image: Piece | None
) -> tuple[tuple[Edit, ...], tuple[Finding, ...]]:
    """The edits that put images at their places, with the rest of their partitions erased.

    Args:
        data: The whole file.
        description: What it is.
        lfs: An LFS image.
        image: A file system image; an address below 0 means the place where the firmware looks for it.

    Raises:
        FormatError: An image is not what it is given for.
        LayoutError: It does not fit, has no place, or would lie over the firmware.
    """
    if lfs is None and image is not None and image.address != AT_ITS_PLACE and not _has_table(description):
        if not image.data:
            raise FormatError("the file is empty", source=image.name, expected="a file system")
        _check_free(image, description)
        return (_placed_edit(data, "file system", image, None),), ()
    layout, firmware = layout_of(description), description.firmware
    ends = {region.start: region.end for region in layout.regions}
    placed = [("LFS image", piece) for piece in place_lfs(lfs, layout, firmware)]
    files = place_filesystem(image, layout, firmware, irom_end_of(description))
    placed += [("file system", piece) for piece in files]
    for _, piece in placed:
        check_in_flash(piece, layout.flash)
        _check_free(piece, description)
    edits = tuple(_placed_edit(data, what, piece, ends.get(piece.address)) for what, piece in placed)
    return edits, tuple(filesystem_findings(image, layout, firmware))


def _has_table(description: Description) -> bool:
    return any(part.kind is PartKind.PARTITION_TABLE for part in description.parts)


def _check_free(piece: Piece, description: Description) -> None:
    table = table_of(description)
    stated = None if table is None else table.irom_end
    for part in description.parts:
        # A fresh table says where irom ends; what stands behind is no part of it, though nothing else tells.
        end = min(part.end, stated) if stated is not None and part.kind is PartKind.IROM else part.end
        over = min(piece.end, end) - max(piece.address, part.offset)
        if over > 0 and part.kind in _FIRMWARE:
            raise LayoutError(
                f"it lies over {part.kind} (0x{part.offset:06x} to 0x{part.end - 1:06x}) by {in_bytes(over)}",
                source=piece.name,
                offset=max(piece.address, part.offset),
                expected="a place that is free, or holds a file system",
                found=f"0x{piece.address:06x} to 0x{piece.end - 1:06x}",
            )


def _placed_edit(data: bytes, what: str, piece: Piece, region_end: int | None) -> Edit:
    """The piece, with the rest of its region erased as far as the file goes."""
    stop = max(piece.end, min(region_end or piece.end, len(data)))
    block = piece.data.ljust(stop - piece.address, bytes([fill.ERASED]))
    here = min(stop, len(data))
    if piece.address >= here:
        old = "behind the end"
    else:
        old = "blank" if fill.is_fill(data, piece.address, here) else "other contents"
    return Edit(piece.address, block, what, old, in_bytes(len(piece.data)))
