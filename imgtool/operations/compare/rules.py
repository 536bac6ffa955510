"""What the firmware changes in a flash by itself, and what it would never write.

A is taken for what was flashed, B for what was read back later.  A rule names its reason; where no rule
fits, a difference stays a difference.  The rules, where each is known from, and that none of them was tried
on a chip: docs/how-to/compare.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import RTOS_TABLE_PLACE, SECTOR, FlashSize, flash_size_of_code
from imgtool.errors import LayoutError
from imgtool.formats import fill
from imgtool.formats.images.arduino import EBOOT_ADDRESS
from imgtool.formats.reading import PartKind, Severity
from imgtool.formats.regions import nodemcu_page, rtos_partitions
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.layout.first_boot import init_data_written
from imgtool.layout.generations import generation_of
from imgtool.layout.nodemcu import resolve
from imgtool.operations.compare.pairs import FILLERS
from imgtool.operations.compare.values import DiffState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgtool.formats.reading import Firmware, Header
    from imgtool.formats.regions.nodemcu_page import PartitionTable, RecordPage
    from imgtool.operations.compare.pairs import ComparedFile, Pair

__all__ = ["Judgement", "covers", "judge", "pages_after_boot", "size_reason"]

_SIZE_BYTE: Final = 3
_FILESYSTEMS: Final = frozenset({PartKind.SPIFFS, PartKind.LITTLEFS})
_CHECKS: Final = frozenset(
    {PartKind.CRC_TAIL, PartKind.MD5_TAIL, PartKind.SHA256_TAIL, PartKind.LENGTH_CRC_WORDS}
)
_FOLLOWS: Final = "follows from the changes that it covers"


class Judgement(NamedTuple):
    """What a difference comes to.

    Attributes:
        state: What became of it.
        reason: Why, in words.
        follows: Whether it is a check that is right, and differs as what it covers does.
    """

    state: DiffState
    reason: str = ""
    follows: bool = False


def covers(a: ComparedFile, b: ComparedFile) -> ComparedFile | None:
    """The dump, where the other file is less than one: then only what both have is compared."""
    if a.is_dump is b.is_dump or a.description.foreign or b.description.foreign:
        return None
    return a if a.is_dump else b


def judge(pair: Pair, a: ComparedFile, b: ComparedFile) -> Judgement:
    """What the difference of a pair comes to."""
    if pair.a is None or pair.b is None:
        return _one_sided(pair, a, b)
    one, two = pair.bytes_of(a, b)
    if one == two:
        moved = Judgement(DiffState.DIFFERS, "moved: the same bytes stand at another place")
        return moved if pair.moved else Judgement(DiffState.SAME)
    return _of_both(pair, a, b)


def _of_both(pair: Pair, a: ComparedFile, b: ComparedFile) -> Judgement:
    if pair.name.endswith("header"):
        return _header(pair, a, b)
    if pair.name == "checksum" or pair.kind in _CHECKS:
        return _check(pair)
    rule = _RULES.get(pair.kind)
    reason = None if rule is None else rule(pair, a, b)
    if reason is not None:
        return Judgement(DiffState.FIRMWARE, reason)
    return Judgement(DiffState.DIFFERS, _kinds_differ(pair))


def _one_sided(pair: Pair, a: ComparedFile, b: ComparedFile) -> Judgement:
    where, side, other, span = ("A", a, b, pair.a) if pair.b is None else ("B", b, a, pair.b)
    start, stop = span or (0, 0)
    only = f"only in {where}"
    if fill.is_fill(side.data, start, stop) or pair.kind in FILLERS:
        return Judgement(DiffState.OUTSIDE, f"{only}, nothing in it")
    if covers(a, b) is not side:
        return Judgement(DiffState.DIFFERS, only)
    end = len(other.data)
    atom = pair.atom_a or pair.atom_b
    # A part that goes on where the shorter file ends was cut, unless its last sector ends in erased flash:
    # then what follows is left of an older firmware.
    sector_end = min(stop, end + -end % SECTOR)
    runs_on = start == end and atom is not None and atom.start < end
    if runs_on and not (sector_end > end and fill.is_fill(side.data, end, sector_end)):
        return Judgement(DiffState.DIFFERS, f"{only}: the other file ends inside it")
    return Judgement(DiffState.OUTSIDE, only)


def _kinds_differ(pair: Pair) -> str:
    one, two = (kinds - FILLERS or kinds for kinds in (pair.kinds_a, pair.kinds_b))
    if one == two:
        return ""
    words = ["/".join(sorted(kinds)) for kinds in (one, two)]
    return f"{words[0]} in A, {words[1]} in B"


def _check(pair: Pair) -> Judgement:
    atom = pair.atom_b
    part = None if atom is None else atom.part
    if part is not None and part.checksum is not None:
        if part.checksum.ok:
            return Judgement(DiffState.DIFFERS, _FOLLOWS, follows=True)
        return Judgement(DiffState.DIFFERS, "does not hold in B")
    return Judgement(DiffState.DIFFERS)


def _header(pair: Pair, a: ComparedFile, b: ComparedFile) -> Judgement:
    one, two = pair.bytes_of(a, b)
    if min(len(one), len(two)) <= _SIZE_BYTE:  # cut where a part of the other file begins
        return Judgement(DiffState.DIFFERS)
    changed = [at for at, (old, new) in enumerate(zip(one, two, strict=False)) if old != new]
    same_low = one[_SIZE_BYTE] & 0xF == two[_SIZE_BYTE] & 0xF
    header_a, header_b = (None if atom is None else atom.header for atom in (pair.atom_a, pair.atom_b))
    if header_a is None or header_b is None or pair.a != pair.b or pair.a is None or pair.a[0]:
        return Judgement(DiffState.DIFFERS)
    reason = size_reason(header_a, header_b, a, b)
    if changed == [_SIZE_BYTE] and same_low and reason:
        return Judgement(DiffState.FIRMWARE, reason)
    if changed == [_SIZE_BYTE] and same_low and b.is_dump and _size_of(header_b, {}) == len(b.data):
        return Judgement(DiffState.DIFFERS, "the new size is that of the dump: flashing tools put it there")
    return Judgement(DiffState.DIFFERS)


def size_reason(one: Header, two: Header, a: ComparedFile, b: ComparedFile) -> str:
    """Why the firmware would have written the other size nibble, empty if it would not.

    NodeMCU up to 2.2.1 puts the size of the chip there.  That the new one is the size of a whole dump, and
    the old one was not, is what makes it plausible.
    """
    firmware = _nodemcu(a, b)
    sizes = generation_of(firmware).sizes
    if firmware is None or not sizes.corrects or not b.is_dump:
        return ""
    if _size_of(two, sizes.own) == len(b.data) != _size_of(one, sizes.own):
        return "NodeMCU up to 2.2.1 corrects the size in the header to that of the chip"
    return ""


def _size_of(header: Header, own: Mapping[int, int]) -> int | None:
    code = header.size_freq_code >> 4
    if code in own:
        return own[code]
    size: FlashSize | None = flash_size_of_code(code)
    return None if size is None or size.name.endswith("-c1") else size.bytes


def _nodemcu(a: ComparedFile, b: ComparedFile) -> Firmware | None:
    """The NodeMCU that both hold; what was flashed may lack the banner."""
    found = b.description.firmware or a.description.firmware
    row = generation_of(found)
    return found if row.is_nodemcu and row.release_known else None


def _only(pair: Pair, *kinds: PartKind) -> bool:
    """Whether both files have nothing else there than these kinds and fill."""
    return pair.kinds_a | pair.kinds_b <= FILLERS | set(kinds)


def _rf_cal(pair: Pair, a: ComparedFile, b: ComparedFile) -> str | None:
    if not _only(pair, PartKind.RF_CAL) or _holds_other_sectors(pair, a, b):
        return None
    return "the SDK keeps its RF calibration here"


def _system_param(pair: Pair, a: ComparedFile, b: ComparedFile) -> str | None:
    if not _only(pair, PartKind.SYSTEM_PARAM) or _holds_other_sectors(pair, a, b):
        return None
    return "the SDK keeps its settings here; counted, not shown"


def _holds_other_sectors(pair: Pair, a: ComparedFile, b: ComparedFile) -> bool:
    """Whether B has a sector there that stands elsewhere in A: something was written to a wrong address."""
    one, two = pair.bytes_of(a, b)
    for start in range(0, len(two), SECTOR):
        sector = two[start : start + SECTOR]
        uniform = fill.is_fill(sector, 0, len(sector), sector[0])
        if len(sector) == SECTOR and not uniform and sector not in one and sector in a.data:
            return True
    return False


def _init_data(pair: Pair, a: ComparedFile, b: ComparedFile) -> str | None:
    """Init data that a first boot wrote where A has none: the very bytes, and nothing behind them."""
    one, two = pair.bytes_of(a, b)
    firmware = _nodemcu(a, b)
    if firmware is None or not _only(pair, PartKind.INIT_DATA, PartKind.UNKNOWN):
        return None
    blank = fill.is_fill(one, 0, len(one))
    written = init_data_written(firmware, (a.data, b.data))
    if not blank or written is None or two[:INIT_DATA_SIZE] != written:
        return None
    if not fill.is_fill(two, INIT_DATA_SIZE, len(two)):
        return None
    return "NodeMCU writes its init data on the first boot where it finds none"


def _table(pair: Pair, a: ComparedFile, b: ComparedFile) -> str | None:
    """NodeMCU 3's record page after its first boot, and nothing else in it."""
    if pair.a is None or pair.b is None:
        return None
    one, two = (
        None if len(side.data) < span[0] + 4 else nodemcu_page.page_at(side.data, span[0])
        for side, span in ((a, pair.a), (b, pair.b))
    )
    header = b.description.header
    if one is None or two is None or header is None or header.flash_size is None:
        return None
    block = b.data[slice(*pair.b)]
    allowed = pages_after_boot(one, header.flash_size.bytes, pair.b[0])
    if block not in [page[: len(block)] for page in allowed]:
        return None
    return "the first boot of NodeMCU 3 resolves its partition table and notes that init data is in place"


def pages_after_boot(page: RecordPage, flash_bytes: int, irom: int) -> list[bytes]:
    """The record pages that a first boot leaves behind, one after the other."""
    table = page.table
    if table is None:
        return []
    pages: list[RecordPage] = [page]
    if not table.resolved:
        try:
            done: PartitionTable = resolve(table, flash_bytes, irom)
        except LayoutError:
            return []
        record = nodemcu_page.Record(0, nodemcu_page.TABLE, nodemcu_page.table_payload(done))
        # A record that no longer counts is struck out by its id; what it said stays.
        struck = tuple(
            nodemcu_page.Record(old.offset, nodemcu_page.DELETED, old.payload)
            if old.id == nodemcu_page.TABLE
            else old
            for old in page.records
        )
        pages.append(nodemcu_page.RecordPage((*struck, record)))
    noted = any(record.id == nodemcu_page.PHY_DATA_DONE for record in page.records)
    if not noted:
        mark = nodemcu_page.Record(0, nodemcu_page.PHY_DATA_DONE, b"")
        pages.append(nodemcu_page.RecordPage((*pages[-1].records, mark)))
    return [each.build() for each in pages[1:]]


def _filesystem(pair: Pair, a: ComparedFile, b: ComparedFile) -> str | None:
    """A file system that was used, or made where nothing was; one that went away is a difference."""
    if not _only(pair, *_FILESYSTEMS, PartKind.UNKNOWN) or not pair.kinds_b & _FILESYSTEMS or pair.b is None:
        return None
    if pair.kinds_a & _FILESYSTEMS and _filesystems_in(a, pair.a) != _filesystems_in(b, pair.b):
        return None
    start, stop = pair.b
    broken = any(
        finding.severity is Severity.ERROR and finding.offset is not None and start <= finding.offset < stop
        for finding in b.description.findings
    )
    if broken:
        return None
    if pair.kinds_a & _FILESYSTEMS:
        return "the contents of a file system change in use"
    return "the firmware makes its file system where it finds none" if pair.kinds_a <= FILLERS else None


def _filesystems_in(side: ComparedFile, span: tuple[int, int] | None) -> set[tuple[PartKind, int, int]]:
    """Kind, place and size of the file systems in a stretch: no firmware moves one, or makes it longer."""
    start, stop = span or (0, 0)
    return {
        (part.kind, part.offset - start, part.size)
        for part in side.description.parts
        if part.kind in _FILESYSTEMS and part.offset < stop and start < part.end
    }


def _user_data(pair: Pair, a: ComparedFile, b: ComparedFile) -> str | None:
    """Arduino's EEPROM and the RTOS SDK's NVS; other data is the owner's."""
    if pair.b is None or not _only(pair, PartKind.USER_DATA):
        return None
    region = b.region_at(*pair.b) or a.region_at(*pair.b)
    if region is None:
        return None
    if region.name == "EEPROM" and _is_arduino(a) and _is_arduino(b):
        return "a sketch keeps its settings in this sector, the core's EEPROM; counted, not shown"
    table = rtos_partitions.table_at(b.data, RTOS_TABLE_PLACE)
    rows = () if table is None else table.partitions
    if any(row.offset == region.start and row.kind == "data, nvs" for row in rows):
        return "the RTOS SDK keeps its settings and calibration here; counted, not shown"
    return None


def _is_arduino(side: ComparedFile) -> bool:
    """Whether the Arduino core's boot loader is at its start, also where it is a dump."""
    segments = next((part.segments for part in side.description.parts), ())
    return bool(segments) and segments[0].address == EBOOT_ADDRESS


_RULES: Final[dict[PartKind, Callable[[Pair, ComparedFile, ComparedFile], str | None]]] = {
    PartKind.RF_CAL: _rf_cal,
    PartKind.SYSTEM_PARAM: _system_param,
    PartKind.INIT_DATA: _init_data,
    PartKind.PARTITION_TABLE: _table,
    PartKind.SPIFFS: _filesystem,
    PartKind.LITTLEFS: _filesystem,
    PartKind.USER_DATA: _user_data,
}
