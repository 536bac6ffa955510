"""Addressed data, as Intel HEX, S-record and UF2 files carry it: blocks of bytes with an address each.

Not a format: what the three have in common, from joining records to one reading of the file.  Addresses are
flash offsets in files made for esptool, and load addresses in files made by a linker; no field tells which.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imgtool.errors import FormatError
from imgtool.formats.reading import Fact, FileKind, Finding, Part, PartKind, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ADDRESS_LIMIT",
    "MAX_FILE",
    "MAX_SPAN",
    "Block",
    "RecordScan",
    "Runs",
    "error",
    "laid_out",
    "merged",
    "reading_of",
    "too_large",
]

MAX_SPAN: Final = 0x100_0000
"""Bytes from the lowest to the highest address that are laid out: the largest flash."""

MAX_FILE: Final = 1 << 26
"""Bytes of text or of UF2 blocks that are read: enough for the largest flash in short records."""

ADDRESS_LIMIT: Final = 1 << 32
_FILL: Final = b"\xff"
_LISTED: Final = 32  # blocks that the facts name one by one


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes and the address of the first of them."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        """Address behind its last byte."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class RecordScan:
    """What a file of records holds.

    Attributes:
        blocks: Its data, ascending and joined; what was read before the problem if there is one.
        problem: Why it is not valid.
        notes: What else is to be said.
        facts: Further named contents.
    """

    blocks: tuple[Block, ...]
    problem: Finding | None = None
    notes: tuple[Finding, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def unwrap(self) -> tuple[Block, ...]:
        """The blocks.

        Raises:
            FormatError: There is a problem; carries its offset in the file.
        """
        if self.problem is not None:
            raise FormatError(self.problem.message, offset=self.problem.offset)
        return self.blocks


def error(code: str, message: str, offset: int | None = None) -> Finding:
    """A finding that says why a file is not valid."""
    return Finding(Severity.ERROR, code, message, offset)


def merged(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks by ascending address, neighbours joined and empty ones dropped.

    Raises:
        FormatError: Two blocks hold the same address, or one leaves the 32-bit address space.
    """
    runs: list[list[Block]] = []
    end = -1
    for block in sorted((b for b in blocks if b.data), key=lambda b: b.address):
        if block.address < end:
            raise FormatError(f"address 0x{block.address:08x} is written twice")
        if not 0 <= block.address <= block.end <= ADDRESS_LIMIT:
            raise FormatError(f"the data at address 0x{block.address:x} leaves the 32-bit address space")
        if block.address == end:
            runs[-1].append(block)
        else:
            runs.append([block])
        end = block.end
    return tuple(Block(run[0].address, b"".join(b.data for b in run)) for run in runs)


class Runs:
    """Records as they come in, joined where one follows the other."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, bytearray]] = []

    def add(self, address: int, data: bytes) -> None:
        """Take the next record."""
        if self._runs and self._runs[-1][0] + len(self._runs[-1][1]) == address:
            self._runs[-1][1].extend(data)
        else:
            self._runs.append((address, bytearray(data)))

    def scan(
        self, problem: Finding | None, notes: tuple[Finding, ...], facts: Mapping[str, Fact]
    ) -> RecordScan:
        """All of it, with the problem that ended it or the one that the whole has."""
        try:
            blocks = merged(Block(address, bytes(data)) for address, data in self._runs)
        except FormatError as clash:
            return RecordScan((), problem or error("overlap", clash.message), notes, facts)
        return RecordScan(blocks, problem, notes, facts)


def laid_out(blocks: tuple[Block, ...]) -> bytes:
    """The bytes from the lowest address on, with 0xFF between the blocks, which must be merged.

    Raises:
        FormatError: They span more than :data:`MAX_SPAN`.
    """
    if not blocks:
        return b""
    start, end = blocks[0].address, blocks[-1].end
    if end - start > MAX_SPAN:
        raise FormatError(
            f"the data spans 0x{start:08x} to 0x{end:08x}, more than the largest flash has",
            expected=f"at most {MAX_SPAN:,} bytes",
            found=f"{end - start:,} bytes",
        )
    pieces: list[bytes] = []
    position = start
    for block in blocks:
        pieces += [_FILL * (block.address - position), block.data]
        position = block.end
    return b"".join(pieces)


def too_large(data: bytes) -> RecordScan | None:
    """The scan of a file that is too large to be worth reading, None for all others."""
    if len(data) <= MAX_FILE:
        return None
    message = f"the file has {len(data):,} bytes; no ESP8266 image needs more than {MAX_FILE:,}"
    return RecordScan((), error("too-large", message))


def reading_of(kind: FileKind, name: str, data: bytes, scan: RecordScan) -> Reading:
    """What the file is: one part, its contents laid out if it is valid."""
    findings = [*scan.notes]
    content = None
    if scan.problem is not None:
        findings.insert(0, scan.problem)
    elif not scan.blocks:
        findings.append(Finding(Severity.WARNING, "no-data", "the file is valid, but there is no data in it"))
    else:
        try:
            content = laid_out(scan.blocks)
        except FormatError as problem:
            findings.append(error("span", f"{problem.message} ({problem.found})"))
    total = sum(len(block.data) for block in scan.blocks)
    count = len(scan.blocks)
    note = f"{name}, {total:,} bytes in {count} block{'' if count == 1 else 's'}"
    if scan.blocks:
        note += f" from 0x{scan.blocks[0].address:05x}"
    listed: list[Fact] = [
        {"address": block.address, "size": len(block.data)} for block in scan.blocks[:_LISTED]
    ]
    facts: dict[str, Fact] = {"bytes": total, "block_count": count, "blocks": listed, **scan.facts}
    part = Part(PartKind.UNKNOWN, 0, len(data), note=note, facts=facts)
    return Reading(kind, (part,), findings=tuple(findings), content=content)
