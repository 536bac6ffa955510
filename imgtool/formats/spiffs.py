"""SPIFFS images as NodeMCU makes them: recognised by the magics in their blocks.

Only the signature and the size that it states; the files inside are not read here.

Source: spiffs_config.h of https://github.com/nodemcu/nodemcu-firmware at several tags, and images built with
its spiffsimg; see docs/formats/spiffs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from construct import Int16ul, Struct

from imgtool.formats.reading import Fact, FileKind, Finding, Part, PartKind, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SpiffsSignature", "part_at", "read", "signature_at"]

_PAGE: Final = 0x100
_MAGIC = Struct("magic" / Int16ul)  # second to last entry of a block's lookup page
_MAGIC_OFFSET: Final = 0xFC
_KEY: Final = 0x0529 ^ _PAGE
_BLOCK_SIZES: Final = (0x2000, 0x1000)
_PROBED: Final = 3
_ERASED: Final = 0xFFFF


def _old_step(block: int) -> int:
    # NodeMCU 1.5.4.1-20161201 to 2.1.0-20170521.
    return 4 * block if block >= 3 else (0, 1, 3)[block]  # noqa: PLR2004 - the table has three entries


_FORMULAS: Final[Mapping[str, Callable[[int], int]]] = {"linear": lambda block: block, "old": _old_step}


@dataclass(frozen=True, slots=True)
class SpiffsSignature:
    """What the magics say.

    Attributes:
        block_size: 0x1000 or 0x2000 bytes.
        blocks: How many blocks the file system has.
        formula: ``linear``, or ``old`` for NodeMCU 1.5.4.1-20161201 to 2.1.0-20170521.
    """

    block_size: int
    blocks: int
    formula: str

    @property
    def size(self) -> int:
        """Bytes of the file system."""
        return self.block_size * self.blocks


def signature_at(data: bytes, offset: int = 0) -> SpiffsSignature | None:
    """The SPIFFS at ``offset``, by the magics of its first three blocks, one of which may be erased."""
    for block_size in _BLOCK_SIZES:
        stored = [_magic(data, offset + block * block_size) for block in range(_PROBED)]
        if sum(value is not None for value in stored) < _PROBED - 1:
            continue
        for formula, step in _FORMULAS.items():
            counts = {value + step(block) for block, value in enumerate(stored) if value is not None}
            if len(counts) == 1 and (blocks := counts.pop()) >= _PROBED:
                return SpiffsSignature(block_size, blocks, formula)
    return None


def _magic(data: bytes, block: int) -> int | None:
    entry = data[block + _MAGIC_OFFSET : block + _MAGIC_OFFSET + _MAGIC.sizeof()]
    if len(entry) < _MAGIC.sizeof():
        return None
    value: int = _MAGIC.parse(entry).magic
    return None if value == _ERASED else value ^ _KEY


def part_at(data: bytes, offset: int, size: int) -> Part | None:
    """The file system at ``offset`` as a part of ``size`` bytes, None if none is there."""
    signature = signature_at(data, offset)
    if signature is None:
        return None
    formula = "" if signature.formula == "linear" else ", old magic formula"
    facts: dict[str, Fact] = {
        "block_size": signature.block_size,
        "blocks": signature.blocks,
        "formula": signature.formula,
    }
    note = f"SPIFFS, {signature.blocks} blocks of {signature.block_size // 1024} KB{formula}"
    return Part(PartKind.SPIFFS, offset, size, note=note, facts=facts)


def read(data: bytes) -> Reading | None:
    """Read a file that is a SPIFFS image."""
    part = part_at(data, 0, len(data))
    signature = signature_at(data)
    if part is None or signature is None:
        return None
    findings: tuple[Finding, ...] = ()
    if signature.size > len(data):
        message = f"the file system has {signature.size:,} bytes by its magics, the file has {len(data):,}"
        findings = (Finding(Severity.ERROR, "cut", message, len(data)),)
    return Reading(FileKind.SPIFFS, (part,), findings=findings)
