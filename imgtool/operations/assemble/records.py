"""Intel HEX, S-record and UF2 files as images: their blocks as pieces with flash addresses.

Whether an address is one of flash or one to load to is told by its value: flash is at most 16 MB, and the
cache shows it from 0x40200000 on.  What loads into RAM is no flash image.  Not the formats themselves: those
are in imgtool.formats.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, IROM_BASE
from imgtool.errors import FormatError, LayoutError
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.assemble.wrong_files import sentence_of

if TYPE_CHECKING:
    from imgtool.formats.containers.blocks import Block

__all__ = ["form_of", "pieces_of_records"]


class _Form(NamedTuple):
    """A format of records: its module and what its files begin with."""

    module: str
    starts: bytes


_FORMS: Final = {
    "hex": _Form("containers.intel_hex", b":"),
    "srec": _Form("containers.srecord", b"S"),
    "uf2": _Form("containers.uf2", b"UF2\n"),
}
_LARGEST: Final = max(size.bytes for size in FLASH_SIZES)


def form_of(data: bytes) -> str:
    """``hex``, ``srec`` or ``uf2`` for a file of records, whole or damaged; ``bin`` for everything else."""
    for name, form in _FORMS.items():
        # The format is imported for a file that may be one: most are not.
        if data.startswith(form.starts) and _module(form).read(data) is not None:
            return name
    return "bin"


def _module(form: _Form) -> Any:  # noqa: ANN401 - modules have no common type
    return import_module(f"imgtool.formats.{form.module}")


def pieces_of_records(data: bytes, form: str, name: str) -> tuple[Piece, ...]:
    """The blocks of a file of records at their flash addresses, ascending.

    Args:
        data: The file.
        form: What :func:`form_of` said.
        name: What to call it in messages.

    Raises:
        FormatError: A record is damaged, or there is no data.
        LayoutError: Its addresses are not those of flash.
    """
    try:
        blocks: tuple[Block, ...] = _module(_FORMS[form]).parse(data)
    except FormatError as error:
        words = sentence_of(_module(_FORMS[form]).read(data))
        raise FormatError(words, source=name, offset=error.offset) from None
    if not blocks:
        raise FormatError("there is no data in it", source=name, expected="data records")
    base = IROM_BASE if blocks[0].address >= IROM_BASE else 0
    for block in blocks:
        if not base <= block.address < block.end <= base + _LARGEST:
            raise LayoutError(
                f"the data at 0x{block.address:08x} has no place in flash, such as what loads into RAM",
                source=name,
                expected=f"addresses below 0x{_LARGEST:x}, or from 0x{IROM_BASE:x} on",
                found=f"0x{block.address:08x} to 0x{block.end - 1:08x}",
            )
    return tuple(Piece(block.address - base, block.data, name) for block in blocks)
