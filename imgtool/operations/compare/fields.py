"""Named values that differ: headers, segments, checks, firmware, init data, tables, configurations.

What may hold credentials is not read out: of NodeMCU's records other than the table, of system parameters
and of user data nothing is said here but that they changed.  Not the count of bytes: that is files.py.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import PartKind
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.init_data import FIELDS, InitData, is_init_data
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.operations.compare.rules import pages_after_boot, size_reason
from imgtool.operations.compare.values import DiffState, FieldChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from imgtool.formats.reading import Checksum, Fact, Firmware, Header, Part
    from imgtool.formats.regions.nodemcu_page import Entry, PartitionTable, RecordPage
    from imgtool.operations.compare.pairs import ComparedFile, Pair

__all__ = ["fields_of", "firmware_fields"]

_FACTS_OF: Final = frozenset(
    {
        PartKind.SPIFFS,
        PartKind.LITTLEFS,
        PartKind.LFS,
        PartKind.RBOOT_CONFIG,
        PartKind.APP,
        PartKind.LENGTH_CRC_WORDS,
    }
)
_FIRMWARE: Final = ("name", "version", "sdk", "build", "lua", "builder")
_RECORDS: Final = {
    nodemcu_page.PHY_DATA_DONE: "record that init data is in place",
    nodemcu_page.REFLASH: "record of a reflash",
    nodemcu_page.LFS_PENDING: "pending LFS image",
    nodemcu_page.START_COMMAND: "start-up command",
    nodemcu_page.START_OPTION: "start-up options",
}
_SEGMENT: Final = "segment "
_SLOTS: Final = {1: "user1", 2: "user2"}
_WIDE: Final = 32  # bits; wider checks are digests


def firmware_fields(a: ComparedFile, b: ComparedFile) -> list[FieldChange]:
    """What the strings of the firmware say, where both say something."""
    one, two = a.description.firmware, b.description.firmware
    if one is None or two is None:
        return []
    old, new = _firmware_values(one), _firmware_values(two)
    return _changes("firmware", old, new)


def _firmware_values(firmware: Firmware) -> dict[str, str]:
    named = {name: getattr(firmware, name) for name in _FIRMWARE}
    return {name: str(value) for name, value in {**named, **firmware.details}.items() if value is not None}


def _changes(
    region: str,
    old: Mapping[str, str],
    new: Mapping[str, str],
    state: DiffState = DiffState.DIFFERS,
    reason: str = "",
) -> list[FieldChange]:
    names = dict.fromkeys((*old, *new))
    return [
        FieldChange(region, name, old.get(name), new.get(name), state, reason)
        for name in names
        if old.get(name) != new.get(name)
    ]


def fields_of(pair: Pair, name: str, a: ComparedFile, b: ComparedFile) -> list[FieldChange]:
    """The named values of a pair of which the bytes differ.

    Args:
        pair: It.
        name: What its region is called.
        a: The first file.
        b: The second one.
    """
    one, two = pair.atom_a, pair.atom_b
    if one is None or two is None or pair.a is None or pair.b is None:
        return []
    if one.header is not None and two.header is not None:
        if (pair.a[0], pair.b[0]) != (one.start, two.start):
            return []
        return _header(name, (one.header, two.header), pair, a, b)
    if pair.name.startswith(_SEGMENT):
        return _segment(name, pair, one.name, two.name)
    found = _check(name, one.part.checksum, two.part.checksum)
    reader = _READERS.get(pair.kind)
    if reader is not None and not pair.name:
        found += reader(name, pair, a, b)
    if pair.kind in _FACTS_OF and one.part.kind in _FACTS_OF and two.part.kind in _FACTS_OF:
        found += _changes(name, _facts(one.part), _facts(two.part))
    return found


def _header(
    name: str, headers: tuple[Header, Header], pair: Pair, a: ComparedFile, b: ComparedFile
) -> list[FieldChange]:
    one, two = headers
    old, new = _header_values(one, pair.a, a), _header_values(two, pair.b, b)
    found = _changes(name, old, new)
    reason = size_reason(one, two, a, b) if pair.a == pair.b and pair.a and not pair.a[0] else ""
    return [
        FieldChange(each.region, each.name, each.a, each.b, DiffState.FIRMWARE, reason)
        if each.name == "size" and reason
        else each
        for each in found
    ]


def _header_values(header: Header, span: tuple[int, int] | None, side: ComparedFile) -> dict[str, str]:
    low, high = header.size_freq_code & 0xF, header.size_freq_code >> 4
    values = {
        "mode": header.mode or f"code {header.mode_code}",
        "freq": header.freq or f"code {low}",
        "size": header.size or f"code {high}",
        "entry": f"0x{header.entry:08x}",
    }
    if span is not None and header.version == 1:
        values["segments"] = str(side.data[span[0] + 1])
        magic = side.data[span[0]]
        if magic != 0xE9:  # noqa: PLR2004 - what every such image begins with
            values["first byte"] = f"0x{magic:02x}"
    elif span is not None:
        slot = _SLOTS.get(header.size_freq_code)
        if slot is not None:  # then the byte says nothing else
            values = {"entry": values["entry"], "slot": slot}
        values["irom size"] = f"{int.from_bytes(side.data[span[0] + 12 : span[0] + 16], 'little'):,}"
    return values


def _segment(name: str, pair: Pair, old: str, new: str) -> list[FieldChange]:
    sizes = [f"{span[1] - span[0] - 8:,} bytes" for span in (pair.a, pair.b) if span is not None]
    found = _changes(name, {"size": sizes[0]}, {"size": sizes[-1]})
    return [
        *_changes(name, {"address": old.removeprefix(_SEGMENT)}, {"address": new.removeprefix(_SEGMENT)}),
        *found,
    ]


def _check(name: str, one: Checksum | None, two: Checksum | None) -> list[FieldChange]:
    if one is None or two is None or one.stored == two.stored:
        return []
    reason = "follows from what it covers" if two.ok else "does not hold in B"
    return [FieldChange(name, f"{one.name} check", _stored(one), _stored(two), reason=reason)]


def _stored(check: Checksum) -> str:
    digits = f"{check.stored:0{check.bits // 4}x}"
    return digits if check.bits > _WIDE else f"0x{digits}"


def _facts(part: Part) -> dict[str, str]:
    values: dict[str, str] = {"kind": str(part.kind)}
    for name, value in part.facts.items():
        if isinstance(value, list):
            values.update({f"{name} {at}": _shown(each) for at, each in enumerate(value)})
        else:
            values[name] = _shown(value)
    size, count = part.facts.get("block_size"), part.facts.get("blocks")
    if isinstance(size, int) and isinstance(count, int):
        values["size"] = f"{size * count:,} bytes"
    return values


def _shown(value: Fact) -> str:
    # Of numbers these are flash addresses and codes; both are read best as they are in JSON.
    return f"0x{value:x}" if isinstance(value, int) and value > 0xFFF else str(value)  # noqa: PLR2004


def _init_data(name: str, pair: Pair, a: ComparedFile, b: ComparedFile) -> list[FieldChange]:
    one, two = pair.bytes_of(a, b)
    if not (is_init_data(one) and is_init_data(two)):
        return []
    old, new = InitData.parse(one).values, InitData.parse(two).values
    found: list[FieldChange] = []
    for field in FIELDS:
        before, after = old[field.name], new[field.name]
        if before == after:
            continue
        if isinstance(before, int) and isinstance(after, int) and not field.name.startswith("reserved"):
            found.append(FieldChange(name, field.name, field.show(before), field.show(after)))
            continue
        places = range(field.offset, field.offset + len(field.default))
        kind = field.name.split("_", maxsplit=1)[0]
        found += [
            FieldChange(name, f"{kind} byte {at}", f"0x{one[at]:02x}", f"0x{two[at]:02x}")
            for at in places
            if one[at] != two[at]
        ]
    if one[INIT_DATA_SIZE:] != two[INIT_DATA_SIZE:]:
        found.append(FieldChange(name, "bytes behind the 128", "not shown", "not shown, changed"))
    return found


def _table(name: str, pair: Pair, a: ComparedFile, b: ComparedFile) -> list[FieldChange]:
    if pair.a is None or pair.b is None:
        return []
    one, two = nodemcu_page.page_at(a.data, pair.a[0]), nodemcu_page.page_at(b.data, pair.b[0])
    if one is not None and two is not None:
        return _records(name, one, two, b, pair.b[0])
    parts = [atom.part for atom in (pair.atom_a, pair.atom_b) if atom is not None]
    if any(part.kind is not PartKind.PARTITION_TABLE for part in parts):
        return []
    return _changes(name, _rows(parts[0]), _rows(parts[-1]))


def _records(name: str, one: RecordPage, two: RecordPage, b: ComparedFile, irom: int) -> list[FieldChange]:
    old, new = _entries(one.table), _entries(two.table)
    header = b.description.header
    size = None if header is None else header.flash_size
    allowed = [] if size is None else pages_after_boot(one, size.bytes, irom)
    resolved: set[PartitionTable] = set()
    for page in allowed:
        table = nodemcu_page.RecordPage.parse(page).table
        if table is not None:
            resolved.add(table)
    booted = two.table in resolved
    state, why = (DiffState.FIRMWARE, "as the first boot resolves it") if booted else (DiffState.DIFFERS, "")
    found = _changes(name, old, new, state, why)
    for number, words in _RECORDS.items():
        before, after = _payloads(one, number), _payloads(two, number)
        if before == after:
            continue
        by_boot = number == nodemcu_page.PHY_DATA_DONE and not before and after == [b""]
        found.append(
            FieldChange(
                name,
                words,
                "there, not shown" if before else None,
                ("changed, not shown" if before else "there, not shown") if after else None,
                DiffState.FIRMWARE if by_boot else DiffState.DIFFERS,
                "the first boot notes it" if by_boot else "",
            )
        )
    return found


def _payloads(page: RecordPage, number: int) -> list[bytes]:
    return [record.payload for record in page.records if record.id == number]


def _entries(table: PartitionTable | None) -> dict[str, str]:
    """The entries by name; the same type twice is numbered."""
    return _numbered((entry.name, _entry(entry)) for entry in (() if table is None else table.entries))


def _entry(entry: Entry) -> str:
    size = "what is left" if entry.size == nodemcu_page.TAKE_REST else f"{entry.size:,} bytes"
    return f"0x{entry.address:06x}, {size}"


def _numbered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    seen: Counter[str] = Counter()
    found: dict[str, str] = {}
    for name, value in pairs:
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = value
    return found


def _rows(part: Part) -> dict[str, str]:
    """The rows of an RTOS SDK table by label."""
    rows = part.facts.get("partitions")
    if not isinstance(rows, list):
        return {"table": part.note or "none"}
    return _numbered(
        (
            str(row["label"]),
            f"{row['kind']}, 0x{row['offset']:06x}, {row['size']:,} bytes, flags {row['flags']}",
        )
        for row in rows
        if isinstance(row, dict)
    )


_READERS: Final[dict[PartKind, Callable[[str, Pair, ComparedFile, ComparedFile], list[FieldChange]]]] = {
    PartKind.INIT_DATA: _init_data,
    PartKind.PARTITION_TABLE: _table,
}
