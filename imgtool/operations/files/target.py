"""The file system that the firmware in some files takes, on a flash of some size.

The rules are those of ``fullimage``: what a firmware reserves is imgtool.layout's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.chip import IROM_PLACE, flash_size
from imgtool.errors import LayoutError
from imgtool.formats import fill
from imgtool.layout.file_targets import target_for
from imgtool.layout.fit import layout_for
from imgtool.operations.assemble.extras import check_layout_known, irom_end_of, table_of
from imgtool.operations.assemble.joining import join, lay_out
from imgtool.operations.assemble.places import place, start_in
from imgtool.operations.assemble.wrong_files import refuse_wrong_files
from imgtool.operations.inspect.describe import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.layout.file_targets import FileTarget
    from imgtool.operations.assemble.pieces import Piece

__all__ = ["target_of"]


def target_of(pieces: Sequence[Piece], size: str | None = None) -> FileTarget:
    """The file system that a firmware takes.

    Args:
        pieces: The image of the firmware, or its halves at their addresses.
        size: Name of the flash size; None for that in its header.

    Raises:
        FormatError: It is no firmware, or a half of one.
        LayoutError: Files overlap, or the size in the header has no meaning; a FilePlaceError where nothing
            tells where it looks for files, a FileRoomError where it has no room for any.
    """
    ordered = lay_out(pieces)
    files = place(ordered)
    refuse_wrong_files(files, start_in(files))
    data = join(ordered, ordered[-1].end, fill.ERASED)
    source = describe(data)
    name = ordered[0].name
    check_layout_known(source, name)
    flash = (
        flash_size(size) if size is not None else None if source.header is None else source.header.flash_size
    )
    if flash is None:
        raise LayoutError(
            "the flash size in the image header has no meaning",
            source=name,
            offset=3,
            expected="one that is known, or a flash size",
        )
    irom_end = irom_end_of(source)
    layout = layout_for(flash, source.firmware, table_of(source), irom_end)
    return target_for(layout, source.firmware, irom_end, data[:IROM_PLACE])
