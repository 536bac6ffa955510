"""Change an image, a dump or init data without breaking it.

Header fields, init-data fields, NodeMCU's partition table, an LFS or file-system image at its place, and
bytes at any address.  After a change every check that covers it is computed anew, and the result is read
again: a change that would leave another kind of file, or a new error in it, is refused.  Not conversion:
building/images.py and assemble/merge.py make images.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imgtool.chip import MEMORY
from imgtool.errors import FormatError, LayoutError
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, Severity
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import KEEP, HeaderChange, Piece
from imgtool.operations.assemble.wrong_files import wrong_file
from imgtool.operations.inspect.describe import Description, describe
from imgtool.operations.patch.edits import Difference, Edit, applied, differences, hex_words
from imgtool.operations.patch.header import findings_of_size, header_edits
from imgtool.operations.patch.init_data import init_data_edits, place_findings, rf_cal_findings
from imgtool.operations.patch.mend import mended, refuse_values, structure_repairs
from imgtool.operations.patch.placed import placed_edits
from imgtool.operations.patch.table import TableChange, check_table, patch_table
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LOAD_ADDRESSES", "Changes", "Patched", "Write", "patch"]


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for an address: an offset in the file, or an address that they are loaded to or run at.

    Attributes:
        address: Below 0x3FF00000 an offset, else a load address.
        data: The bytes.
        name: What to call them, such as a file name; empty for bytes that have none.
    """

    address: int
    data: bytes
    name: str = ""


_NO_INIT_DATA: Final = InitDataSource("keep")


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed.

    Attributes:
        header: Flash mode, frequency and size.
        entry: The entry point.
        init_data: Init data to put in, and fields to set; ``keep`` sets fields in what is there.
        table: Entries of NodeMCU's partition table.
        lfs: An LFS image for its partition.
        filesystem: A file system image; an address below 0 means the place where the firmware looks for it.
        writes: Bytes for addresses.
        repair: Whether checks that were wrong before are made right.
    """

    header: HeaderChange = KEEP
    entry: int | None = None
    init_data: InitDataSource = field(default_factory=lambda: _NO_INIT_DATA)
    table: TableChange = field(default_factory=TableChange)
    lfs: Piece | None = None
    filesystem: Piece | None = None
    writes: tuple[Write, ...] = ()
    repair: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patched:
    """A changed file.

    Attributes:
        data: Its bytes.
        edits: The fields that changed, those that follow from others last.
        differences: The bytes that changed, in file order.
        before: What the file was.
        after: What it is now.
        findings: What is to be said.
    """

    data: bytes
    edits: tuple[Edit, ...]
    differences: tuple[Difference, ...]
    before: Description
    after: Description
    findings: tuple[Finding, ...]


_PATCHABLE: Final = "an image, a dump or init data"
_CUT: Final = ("cut", "segment-count")
LOAD_ADDRESSES: Final = MEMORY[0].start
"""From here on an address is one that bytes are loaded to or run at; below it is an offset in the file."""


def patch(data: bytes, changes: Changes) -> Patched:
    """Change a file.

    Args:
        data: The whole file.
        changes: What to change: headers first, then the table, init data, contents, and bytes at addresses;
            each step goes by what those before it changed.

    Raises:
        FormatError: It is no file that can have the change, a check that covers the change was wrong before,
            or the change would damage it.
        LayoutError: Something has no place, does not fit, or a firmware would not start with it.
    """
    before = describe(data)
    _check_open(before)
    findings: list[Finding] = []
    edits = [*header_edits(data, changes.header, changes.entry)]
    if changes.table.any:
        table = patch_table(*_draft(data, edits), changes.table)
        edits += table.edits
        findings += table.findings
    if changes.header.size is not None:
        stated = None if before.header is None else before.header.flash_size
        findings += findings_of_size(_draft(data, edits)[1], changes.header.size, stated)
    if changes.init_data != _NO_INIT_DATA:
        init_data = tuple(init_data_edits(*_draft(data, edits), changes.init_data))
        edits += init_data
        findings += rf_cal_findings(data, before) if init_data else ()
    else:
        init_data = ()
    if changes.lfs is not None or changes.filesystem is not None:
        placed, placed_findings = placed_edits(*_draft(data, edits), changes.lfs, changes.filesystem)
        edits += placed
        findings += placed_findings
    for write in changes.writes:
        edit = _write_edit(data, before, write)
        _check_apart(edit, edits)
        edits.append(edit)
    refuse_values(before, edits)
    if changes.repair:
        edits += structure_repairs(data, before)
    edits += mended(applied(data, edits), before, edits, repair=changes.repair)
    result = applied(data, edits)
    after = before if result == data else describe(result)
    _check_whole(before, after)
    check_table(result, before, after)
    known = {(finding.code, finding.message) for finding in (*before.findings, *findings)}
    findings += [f for f in after.findings if (f.code, f.message) not in known and f.severity != "note"]
    findings += [f for f in after.findings if f.severity is Severity.ERROR and f not in findings]
    findings += place_findings(after, init_data)
    return Patched(
        data=result,
        edits=tuple(edits),
        differences=differences(data, result, edits),
        before=before,
        after=after,
        findings=tuple(findings),
    )


def _draft(data: bytes, edits: Sequence[Edit]) -> tuple[bytes, Description]:
    """The bytes with the edits so far, and what they are: a later step goes by what an earlier one did."""
    draft = applied(data, edits)
    return draft, describe(draft)


def _check_open(before: Description) -> None:
    row = KINDS[before.kind]
    if row.foreign and not row.may_be_dump:
        raise wrong_file(before, None, _PATCHABLE)
    closed = row.closed
    if closed:
        raise FormatError(
            f"this file cannot be changed in place: {closed}",
            expected=_PATCHABLE,
            found=KINDS[before.kind].words,
        )
    cut = next((f for f in before.findings if f.severity is Severity.ERROR and f.code in _CUT), None)
    if cut is not None and before.kind is not FileKind.FLASH_DUMP:
        raise FormatError(f"the file is not whole, so it is not changed: {cut.message}", offset=cut.offset)


def _check_whole(before: Description, after: Description) -> None:
    """Refuse a result that is another kind of file, or has an error that the file had not."""
    had = {(finding.code, finding.offset) for finding in before.findings}
    for finding in after.findings:
        if finding.severity is Severity.ERROR and (finding.code, finding.offset) not in had:
            message = f"the change would damage the file: {finding.message}"
            raise FormatError(message, offset=finding.offset)
    was_damaged = any(finding.code == "magic" for finding in before.findings)
    if after.kind not in (before.kind, FileKind.FLASH_DUMP) and not was_damaged:
        raise FormatError(
            "the change would make it another kind of file",
            expected=KINDS[before.kind].words,
            found=KINDS[after.kind].words,
        )


def _write_edit(data: bytes, before: Description, write: Write) -> Edit:
    if not write.data:
        raise FormatError("there is nothing to write", source=write.name or None, expected="bytes")
    offset = write.address if write.address < LOAD_ADDRESSES else _offset_of(before, write)
    end = offset + len(write.data)
    if end > len(data):
        raise LayoutError(
            "it does not lie in the file",
            source=write.name or None,
            offset=offset,
            expected=f"its end at or below 0x{len(data):05x}",
            found=f"0x{end:05x}, {in_bytes(end - len(data))} too many",
        )
    where = f"0x{write.address:08x}" if offset != write.address else f"0x{offset:06x}"
    name = f"{in_bytes(len(write.data))} at {where}"
    return Edit(offset, write.data, name, hex_words(data[offset:end]), hex_words(write.data))


def _check_apart(edit: Edit, others: Sequence[Edit]) -> None:
    """Refuse bytes that another change writes, too: one of the two would be lost."""
    for other in others:
        if edit.offset < other.end and other.offset < edit.end:
            raise LayoutError(
                f"{edit.field} and {other.field} are the same bytes",
                offset=max(edit.offset, other.offset),
                expected="changes that lie apart",
                found=" and ".join(f"0x{e.offset:05x} to 0x{e.end - 1:05x}" for e in (other, edit)),
            )


def _offset_of(before: Description, write: Write) -> int:
    """The offset of what is loaded to an address, or runs there from flash."""
    stretches = [(s.address, s.offset, s.size) for part in before.parts for s in part.segments]
    stretches += [(p.address, p.offset, p.size) for p in before.parts if p.address is not None]
    holding = [each for each in stretches if each[0] <= write.address < each[0] + each[2]]
    offsets = {offset + write.address - address for address, offset, _ in holding}
    if len(offsets) != 1:
        raise LayoutError(
            "nothing in the file has this address"
            if not offsets
            else "several parts of the file have this address",
            source=write.name or None,
            expected="an address that one part is loaded to or runs at, or an offset in the file",
            found=f"0x{write.address:08x}"
            + "".join(f", offset 0x{offset:05x}" for offset in sorted(offsets)),
        )
    room = max(address + size for address, _, size in holding) - write.address
    if len(write.data) > room:
        raise LayoutError(
            "it reaches behind the end of what is there",
            source=write.name or None,
            expected=f"at most {in_bytes(room)} from 0x{write.address:08x} on",
            found=f"{in_bytes(len(write.data))}, {len(write.data) - room:,} too many",
        )
    return offsets.pop()
