"""Files that are described, for people: firmware and header as rows; parts, checks and others as tables.

Not their verdicts (descriptions.py), not JSON (documents.py), and no map: who draws one has the parts.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.engine.descriptions import errors_of, file_verdict, summary_words, verdict_words
from imgtool.engine.results import Row, Table, Tone, Toned, Words
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, PartKind
from imgtool.phrase import Name, Phrase
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.engine.results import Cell
    from imgtool.formats.filesystems.stored_files import FileListing, Superblock
    from imgtool.formats.images.rtos_app import RtosAppDetails
    from imgtool.formats.reading import Firmware, Part
    from imgtool.formats.regions.nodemcu_page import Entry
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.sdk_sectors import StoredNetwork

__all__ = [
    "app_details",
    "checks_table",
    "facts",
    "file_system_tables",
    "has_files",
    "init_data_file",
    "init_data_table",
    "listed_files",
    "overview_table",
    "partition_entries",
    "partition_tables",
    "parts_table",
    "segments_table",
    "starts_flash",
    "tables_of",
    "words_of",
    "words_of_several",
]

_LONG_DIGEST: Final = 64  # bits
_LOOSE: Final = (PartKind.UNKNOWN, PartKind.BLANK, PartKind.GAP)
_MOST_LOOSE: Final = 40  # rows of what no format knows, and of the fill between
_MOST_FILES: Final = 20
_FILE_SYSTEMS: Final = (PartKind.SPIFFS, PartKind.LITTLEFS)
_FORMULAS: Final = {
    "linear": "linear magics",
    "old": "magics by the old formula",
    "none": "no magics",
    "constant": "the same magic in each",
    "unknown": "magics by an unknown formula",
}


def facts(description: Description) -> tuple[Row, ...]:
    """Firmware, header and digest of a file, a row for each thing."""
    parts = description.parts
    contents = parts[0].note if len(parts) == 1 else ""
    return (
        *_firmware(description.firmware),
        *_header(description),
        *((Row("contents", contents),) if contents else ()),
        Row("sha256", description.sha256),
    )


def _firmware(firmware: Firmware | None) -> list[Row]:
    if firmware is None:
        return []
    from imgtool.formats.firmware import GENERIC_NAMES  # noqa: PLC0415 - most files hold no firmware

    words = [f"{firmware.name} {firmware.version or ''}".strip()]
    if firmware.version is None and firmware.name not in GENERIC_NAMES:
        words.append("version not in the file")
    words += [f"build {firmware.build}"] if firmware.build else []
    words += [f"Lua {firmware.lua}"] if firmware.lua else []
    words += [f"by {firmware.builder}"] if firmware.builder else []
    rows = [Row("firmware", ", ".join(words))]
    rows += [Row("SDK", firmware.sdk)] if firmware.sdk else []
    return rows + [Row(name, value) for name, value in firmware.details.items() if value]


def _header(description: Description) -> list[Row]:
    header = description.header
    if header is None:
        return []
    mode = header.mode or f"mode {header.mode_code}?"
    freq = header.freq or f"frequency {header.size_freq_code & 0xF}?"
    # An RTOS SDK application reads its size code by another table, and says so in its part.
    app = app_details(description)
    size = (header.size if app is None else app.flash_size) or f"size {header.size_freq_code >> 4}?"
    slot = "" if header.slot is None else f", slot byte {header.slot} (user{header.slot})"
    return [Row("header", f"{mode}, {freq}, {size}, entry point 0x{header.entry:08x}{slot}")]


def app_details(description: Description) -> RtosAppDetails | None:
    """What the RTOS SDK application says that a file begins with; None for all other files."""
    if not description.parts or description.parts[0].kind is not PartKind.APP:
        return None
    from imgtool.formats.images.rtos_app import RtosAppDetails  # noqa: PLC0415 - few files are one

    value = description.parts[0].value
    return value if isinstance(value, RtosAppDetails) else None


def parts_table(parts: Sequence[Part]) -> Table:
    """Offset, size, kind and contents of each part; long runs of unknown data and fill end in one row.

    Args:
        parts: In file order.
    """
    rows: list[tuple[Cell, ...]] = []
    for loose, run in groupby(parts, lambda part: part.kind in _LOOSE):
        some = list(run)
        most = _MOST_LOOSE if loose and len(some) > _MOST_LOOSE + 1 else len(some)
        rows += [_part_row(part) for part in some[:most]]
        if left := some[most:]:
            size = sum(part.size for part in left)
            words = f"and {len(left):,} more parts: --json or --html has all"
            rows.append((f"0x{left[0].offset:06x}", f"{size:,}", Toned("...", Tone.DIM), words))
    return Table(rows=tuple(rows), head=("offset", "size", "part", "contents"), right=(1,), title="parts")


def _part_row(part: Part) -> tuple[Cell, ...]:
    where = "" if part.address is None else f"at 0x{part.address:08x}"
    contents = ", ".join(word for word in (part.note, where) if word)
    return f"0x{part.offset:06x}", f"{part.size:,}", str(part.kind), contents


def segments_table(description: Description) -> Table:
    """The segments of all images in a file: load address, size, memory and offset of each."""
    several = sum(bool(part.segments) for part in description.parts) > 1
    rows = tuple(
        (
            f"0x{part.offset:06x} {number}" if several else str(number),
            f"0x{segment.address:08x}",
            f"{segment.size:,}",
            segment.memory or Toned("none", Tone.CARE),
            f"0x{segment.offset:06x}",
        )
        for part in description.parts
        for number, segment in enumerate(part.segments)
    )
    head = ("segment", "load address", "size", "memory", "offset")
    return Table(rows=rows, head=head, right=(0, 2), title="segments")


def checks_table(description: Description) -> Table:
    """Every check in a file, and whether it holds."""
    rows: list[tuple[Cell, ...]] = []
    for part, check in description.checksums:
        values = [f"0x{value:0{check.bits // 4}x}" for value in (check.stored, check.computed)]
        if check.bits > _LONG_DIGEST:
            values = [f"{value[2:14]}..." for value in values]
        covered = "the contents" if part.kind is PartKind.UNKNOWN else part.kind
        verdict = Toned("holds", Tone.GOOD) if check.ok else Toned("WRONG", Tone.WRONG)
        rows.append((f"{check.name} of {covered}", *values, verdict))
    return Table(rows=tuple(rows), head=("check", "stored", "computed", ""), title="checks")


def partition_tables(parts: Iterable[Part]) -> tuple[Table, ...]:
    """The entries of the partition tables among some parts."""
    tables = [_partitions(part.value) for part in parts if part.kind is PartKind.PARTITION_TABLE]
    return tuple(table for table in tables if table is not None and table.rows)


def _partitions(table: object) -> Table | None:
    """NodeMCU's table, or the RTOS SDK's."""
    from imgtool.formats.regions.nodemcu_page import PartitionTable  # noqa: PLC0415 - few files have one
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable  # noqa: PLC0415 - likewise

    if isinstance(table, PartitionTable):
        filled = [_by_first_boot(each) if not table.resolved else _Filled() for each in table.entries]
        entries = tuple(
            (each.name, words.address or f"0x{each.address:06x}", words.size or f"0x{each.size:06x}")
            for each, words in zip(table.entries, filled, strict=True)
        )
        return Table(rows=entries, head=("partition", "address", "size"), title="partition table")
    if isinstance(table, RtosPartitionTable):
        rows = tuple(
            (each.label, each.kind, f"0x{each.offset:06x}", f"0x{each.size:06x}") for each in table.partitions
        )
        return Table(rows=rows, head=("partition", "kind", "address", "size"), title="partition table")
    return None


def partition_entries(
    part: Part, fields: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[int | None]] | None:
    """The entries of a part that is a partition table; None for all other parts, and for an empty table.

    Args:
        part: The part.
        fields: The same as JSON.

    Returns:
        The fields of each, with words for what the first boot fills in; and where each begins, None where
        that is not known.
    """
    from imgtool.formats.regions.nodemcu_page import EAGLEROM, PartitionTable  # noqa: PLC0415 - few files have one
    from imgtool.formats.regions.rtos_partitions import RtosPartitionTable  # noqa: PLC0415 - likewise

    table = part.value
    if isinstance(table, RtosPartitionTable) and table.partitions:
        return list(fields["partitions"]), [each.offset for each in table.partitions]
    if not isinstance(table, PartitionTable) or not table.entries:
        return None
    records, entries = list(fields["entries"]), table.entries
    if table.resolved:
        return records, [each.address for each in entries]
    starts = [each.address if each.address or each.type == EAGLEROM else None for each in entries]
    return [_before_first_boot(*pair) for pair in zip(records, entries, strict=True)], starts


def _before_first_boot(record: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """The fields of an entry of a NodeMCU table as it is built, words for what its first boot fills in."""
    words = _by_first_boot(entry)
    filled = {"address": words.address, "size": words.size}
    return record | {name: word for name, word in filled.items() if word}


class _Filled(NamedTuple):
    """Words for what the first boot will fill into an entry of a table; empty where it stays as it is."""

    address: str = ""
    size: str = ""


def _by_first_boot(entry: Entry) -> _Filled:
    """What the first boot will fill into an entry of a NodeMCU table as it is built."""
    from imgtool.formats.regions.nodemcu_page import (  # noqa: PLC0415 - few files have one
        EAGLEROM,
        END_MARKER,
        TAKE_REST,
    )

    address = "by the first boot" if entry.address == 0 and entry.type != EAGLEROM else ""
    if entry.size == TAKE_REST:
        return _Filled(address, "the rest")
    return _Filled(address, "by the first boot" if entry.size == 0 and entry.type != END_MARKER else "")


def starts_flash(description: Description) -> bool:
    """Whether a file of this kind begins where the flash does, so that flash addresses are offsets in it."""
    return KINDS[description.kind].at_start


def has_files(part: Part) -> bool:
    """Whether a part has files, for :func:`listed_files`."""
    from imgtool.formats.filesystems.espfs import EspFs  # noqa: PLC0415 - few files have one
    from imgtool.formats.filesystems.stored_files import FileListing  # noqa: PLC0415 - likewise

    return isinstance(part.value, EspFs | FileListing) and bool(part.value.files)


def listed_files(part: Part, fields: dict[str, Any]) -> tuple[str, list[dict[str, Any]]] | None:
    """The files of the file system that a part is; None where it is none, or has no file.

    Args:
        part: The part.
        fields: The same as JSON.

    Returns:
        How many there are and how full their file system is, in words; and the fields of each.
    """
    if not has_files(part):
        return None
    from imgtool.formats.filesystems.stored_files import FileListing  # noqa: PLC0415 - few files have one

    listed, value = list(fields["files"]), part.value
    words = [f"{len(listed):,} file{'' if len(listed) == 1 else 's'}"]
    if isinstance(value, FileListing):
        counts = ((value.used, "used"), (value.free, "free"))
        words += [f"{bytes_and_units(count)} {name}" for count, name in counts if count is not None]
        if all(each.whole for each in value.files):
            listed = [{name: each[name] for name in each if name != "whole"} for each in listed]
    return ", ".join(words), listed


def file_system_tables(parts: Iterable[Part]) -> tuple[Table, ...]:
    """How full each file system among some parts is, and its files, where they were read."""
    some = [part for part in parts if part.kind in _FILE_SYSTEMS]
    if not some:
        return ()
    from imgtool.formats.filesystems.stored_files import FileListing  # noqa: PLC0415 - few files have any

    return tuple(_file_system(part, part.value) for part in some if isinstance(part.value, FileListing))


def _file_system(part: Part, listing: FileListing) -> Table:
    files, block = listing.files, listing.superblock
    shown = files[: _MOST_FILES if len(files) > _MOST_FILES + 1 else None]
    rows = tuple(
        (
            f"{file.size:,}",
            Name(file.path) if file.whole else Toned(Phrase(Name(file.path), " (damaged)"), Tone.WRONG),
        )
        for file in shown
    )
    return Table(
        rows=rows,
        head=("size", "file"),
        right=(0,),
        title=(
            f"{part.kind} at 0x{part.offset:06x}: {part.size:,} bytes, "
            f"{block.blocks} blocks of {block.block_size:,} bytes, {_which(block)}"
        ),
        lead=_fullness(part, listing),
        below=f"and {len(files) - len(rows):,} more" if len(files) > len(rows) else "",
    )


def _which(block: Superblock) -> str:
    """The variant of a file system."""
    from imgtool.formats.filesystems.littlefs import LittleFsSuperblock  # noqa: PLC0415 - few files have one
    from imgtool.formats.filesystems.spiffs import SpiffsSignature  # noqa: PLC0415 - likewise
    from imgtool.formats.filesystems.spiffs_plain import PlainSpiffs  # noqa: PLC0415 - likewise

    if isinstance(block, LittleFsSuperblock):
        return f"version {block.version}"
    return _FORMULAS[block.formula] if isinstance(block, SpiffsSignature | PlainSpiffs) else ""


def _fullness(part: Part, listing: FileListing) -> str:
    files = listing.files
    words = ["no files" if not files else f"{len(files):,} file{'' if len(files) == 1 else 's'}"]
    if listing.used is not None and listing.free is not None:
        percent = -(-100 * listing.used // part.size)
        words.append(f"{percent} % used, {listing.free:,} bytes free")
    if listing.deleted:
        words.append(f"{listing.deleted:,} bytes deleted and not yet erased")
    if listing.half_written:
        count = listing.half_written
        words.append(f"{count} half-written file{'' if count == 1 else 's'} left out")
    return "; ".join(words)


def init_data_table(part: Part) -> Table | None:
    """The documented fields of a part that is init data; those that differ from set v05 stand out.

    Returns:
        None for all other parts.
    """
    if part.kind is not PartKind.INIT_DATA:
        return None
    from imgtool.formats.regions.init_data import FIELDS, SETS, InitData  # noqa: PLC0415 - few files are some

    init = part.value
    if not isinstance(init, InitData):
        return None
    rows: list[tuple[Cell, ...]] = []
    for field in FIELDS:
        value = init.values[field.name]
        if field.settable and isinstance(value, int):
            changed = value & 0xFF != SETS["v05"][field.offset]
            shown = field.show(value)
            rows.append((field.name, Toned(shown, Tone.CARE) if changed else shown, field.meaning))
    return Table(rows=tuple(rows), head=("field", "value", "meaning"), title="init data")


def init_data_file(description: Description) -> Table | None:
    """The same of a file that is init data and nothing else; None for all other files."""
    return init_data_table(description.parts[0]) if description.kind is FileKind.INIT_DATA else None


def overview_table(files: Iterable[tuple[str, Description]]) -> Table:
    """Several files, a row each: size, kind, and its firmware or how many errors it has."""
    rows = tuple(
        (Name(name), f"{each.size:,}", str(each.kind), _errors_or_firmware(each)) for name, each in files
    )
    return Table(rows=rows, head=("file", "size", "kind", "firmware"), right=(1,), title="files")


def _errors_or_firmware(description: Description) -> Cell:
    errors = len(errors_of(description))
    if errors:
        return Toned(f"{errors} error{'s' if errors > 1 else ''}", Tone.WRONG)
    firmware = description.firmware
    return "" if firmware is None else f"{firmware.name} {firmware.version or ''}".strip()


def tables_of(description: Description) -> tuple[Table, ...]:
    """All tables of a file, and of what is inside it; those that have rows, or say something without."""
    own: list[Table | None] = [
        parts_table(description.parts),
        None if description.state is None else _state(description),
        segments_table(description),
        checks_table(description),
        *partition_tables(description.parts),
        *file_system_tables(description.parts),
        init_data_file(description),
    ]
    tables = tuple(table for table in own if table is not None and (table.rows or table.lead))
    content = description.content
    if content is None:
        return tables
    rows = tuple((row.name, row.text) for row in facts(content))
    return (*tables, Table(rows=rows, title="inside", lead=verdict_words(content)), *tables_of(content))


def words_of(description: Description, networks: Sequence[StoredNetwork] | None = None) -> Words:
    """What a person is told of one file; of networks if they are given, even none."""
    content = description.content
    return Words(
        verdict=verdict_words(description),
        tone=Tone.GOOD if file_verdict(description).good else Tone.WRONG,
        rows=facts(description),
        tables=(*tables_of(description), *_networks(networks)),
        findings=(*description.findings, *(() if content is None else content.findings)),
    )


def words_of_several(
    files: Iterable[tuple[str, Description, Sequence[StoredNetwork] | None]],
) -> Words:
    """What a person is told of several files: a row each, and every error with the file that has it."""
    some = list(files)
    named = [(name, description) for name, description, _ in some]
    descriptions = [description for _, description in named]
    networks = [
        table._replace(title=Phrase(Name(name), f": {table.title}"))
        for name, _, stored in some
        for table in _networks(stored)
    ]
    return Words(
        verdict=summary_words(descriptions),
        tone=Tone.GOOD if all(description.ok for description in descriptions) else Tone.WRONG,
        tables=(overview_table(named), *networks),
        findings=tuple(
            finding._replace(message=Phrase(Name(name), ": ", finding.message))
            for name, description in named
            for finding in errors_of(description)
        ),
    )


def _networks(networks: Sequence[StoredNetwork] | None) -> tuple[Table, ...]:
    if networks is None:
        return ()
    from imgtool.engine.states import networks_table  # noqa: PLC0415 - few ask for them

    return (networks_table(networks),)


def _state(description: Description) -> Table | None:
    from imgtool.engine.states import state_table  # noqa: PLC0415 - few files are a flash

    return None if description.state is None else state_table(description.state)
