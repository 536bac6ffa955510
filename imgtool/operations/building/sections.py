"""Sections on their way to segments: filled up to whole words, adjacent ones made one.

As esptool's elf2image does it.  Not which of them go into an image, and not their order there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import memory_at
from imgtool.formats.elf.program import ProgramBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["joined", "memory_name", "padded"]

_WORD: Final = 4


def padded(block: ProgramBlock) -> ProgramBlock:
    """A section with zeros behind it up to a multiple of 4 bytes."""
    return block._replace(data=block.data.ljust(-(-len(block.data) // _WORD) * _WORD, b"\0"))


def joined(blocks: Sequence[ProgramBlock]) -> list[ProgramBlock]:
    """Sections in file order, padded; those that follow each other in file and memory made one."""
    result: list[ProgramBlock] = []
    for block in map(padded, blocks):
        last = result[-1] if result else None
        if last is not None and last.end == block.address and memory_name(last) == memory_name(block):
            name = f"{last.name} {block.name}"
            result[-1] = ProgramBlock(name, last.address, last.data + block.data, last.flags)
        else:
            result.append(block)
    return result


def memory_name(block: ProgramBlock) -> str:
    """Name of the memory at a section's address; empty where there is none."""
    memory = memory_at(block.address)
    return "" if memory is None else memory.name
