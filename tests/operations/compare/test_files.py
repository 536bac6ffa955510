from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.logs.boots import ResetCause
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.init_data import FIELDS, SETS
from imgtool.formats.regions.nodemcu_page import Record, RecordPage
from imgtool.operations.assemble.encode import encode
from imgtool.operations.assemble.fullimage import fullimage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.compare.files import Comparison, DiffState, RegionChange, compare
from imgtool.operations.inspect.describe import describe
from imgtool.virtual.chip.boot import boot
from tests.strategies import NO_SHRINKING
from tests.support import IMAGES, aggregate, flipped

MB: Final = 0x10_0000
SECTOR: Final = 0x1000
ERASED: Final = b"\xff" * SECTOR
MARKER: Final = b"Marker-5up3r-S3cret"


def put(data: bytes, offset: int, block: bytes) -> bytes:
    return data[:offset] + block + data[offset + len(block) :]


@cache
def full(folder: str, size: str) -> bytes:
    return fullimage([Piece(0, aggregate(folder), folder)], size).data


def booted(flash: bytes) -> bytes:
    """What a first boot makes of a flash, by the virtual chip's rules."""
    content = bytearray(flash)
    for event in boot(flash, ResetCause.POWER_ON, writes=True).events:
        if event.write is not None:
            address, data = event.write
            size = max(1, -(-len(data) // SECTOR)) * SECTOR
            content[address : address + size] = data.ljust(size, b"\xff")
    return bytes(content)


def with_record(flash: bytes, number: int, payload: bytes) -> bytes:
    page = RecordPage.parse(flash, 0x10000)
    records = (*page.records, Record(0, number, payload))
    return put(flash, 0x10000, RecordPage(records).build())


def with_table(flash: bytes, shift: int) -> bytes:
    """A resolved table whose SPIFFS is smaller than a first boot makes it."""
    page = RecordPage.parse(flash, 0x10000)
    records = []
    for record in page.records:
        payload = record.payload
        if record.id == nodemcu_page.TABLE:
            rows = [payload[at : at + 12] for at in range(0, len(payload), 12)]
            rows = [
                row[:8] + (int.from_bytes(row[8:], "little") - shift).to_bytes(4, "little")
                if row[0] == nodemcu_page.SPIFFS0
                else row
                for row in rows
            ]
            payload = b"".join(rows)
        records.append(Record(record.offset, record.id, payload))
    return put(flash, 0x10000, RecordPage(tuple(records)).build())


def rebuilt(change: str) -> bytes:
    """The sample with another boot image."""
    whole = aggregate("sample")
    image = BootImage.parse(whole)
    one, *rest = image.segments
    segments = {
        "data": (Segment(one.address, flipped(one.data, 0x100)), *rest),
        "grown": (Segment(one.address, one.data + b"abcdefgh"), *rest),
        "address": (Segment(one.address + 0x40, one.data), *rest),
        "added": (one, *rest, Segment(0x3FFEC000, b"12345678")),
        "removed": (one, *rest[:-1]),
    }[change]
    boot_half = image._replace(segments=segments, stored_checksum=None).build()
    return boot_half.ljust(0x10000, b"\xff") + whole[0x10000:]


@dataclass(frozen=True)
class Case:
    """Two files and what is to be said of them."""

    name: str
    a: bytes
    b: bytes
    states: dict[str, str]
    differs: bool = True
    fields: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()
    words: str = ""


SAMPLE: Final = aggregate("sample")
FULL: Final = full("sample", "1MB")
FULL_3: Final = full("nodemcu-3.0-2021", "4MB")
IMAGE_3: Final = put(aggregate("nodemcu-3.0-2021"), 3, b"\x40")  # as flashed to 4 MB
USED_3: Final = IMAGES["dumps/nodemcu-3-used-4m.bin"]
DUMP: Final = IMAGES["dumps/nodemcu-2.2-4m.bin"]
ARDUINO: Final = IMAGES["dumps/arduino-4m.bin"]
RTOS: Final = IMAGES["dumps/rtos3-1m.bin"]
RBOOT: Final = IMAGES["dumps/rboot-1m.bin"]
V05: Final = SETS["v05"]
NO_INIT: Final = put(FULL, 0xFC000, ERASED)
SMALL_HEADER: Final = put(DUMP, 3, b"\x20")

CASES: Final = [
    Case("code", SAMPLE, flipped(SAMPLE, 0x18004), {"irom": "differs"}, words="1 byte in irom"),
    Case("code of a dump", DUMP, flipped(DUMP, 0x18004), {"irom": "differs"}),
    Case(
        "mode",
        SAMPLE,
        put(SAMPLE, 2, b"\x00"),
        {"header": "differs"},
        fields={"header mode": ("dio", "qio")},
        words="1 field, 1 byte in header",
    ),
    Case(
        "codes without a name",
        SAMPLE,
        put(SAMPLE, 2, b"\x07\xb4"),
        {"header": "differs"},
        fields={
            "header mode": ("dio", "code 7"),
            "header size": ("1MB", "code 11"),
            "header freq": ("40m", "code 4"),
        },
    ),
    Case(
        "entry",
        SAMPLE,
        put(SAMPLE, 4, b"\x08"),
        {"header": "differs"},
        fields={"header entry": ("0x40100004", "0x40100008")},
    ),
    Case(
        "size corrected to that of the chip",
        SMALL_HEADER,
        DUMP,
        {"header": "firmware"},
        differs=False,
        fields={"header size": ("1MB", "4MB")},
        words="the same but for what the firmware changes by itself",
    ),
    Case("size corrected, and mode", SMALL_HEADER, put(DUMP, 2, b"\x00"), {"header": "differs"}),
    Case("size, but not that of the chip", SMALL_HEADER, put(DUMP, 3, b"\x30"), {"header": "differs"}),
    Case("size, back to a wrong one", DUMP, SMALL_HEADER, {"header": "differs"}),
    Case("size, NodeMCU 3 does not", USED_3, put(USED_3, 3, b"\x20"), {"header": "differs"}),
    Case("segment", SAMPLE, flipped(SAMPLE, 0x200), {"segment 0x40100000": "differs"}),
    Case(
        "segment, and the checksum follows",
        SAMPLE,
        rebuilt("data"),
        {"segment 0x40100000": "differs", "checksum": "differs"},
        fields={"checksum XOR check": ("0xfe", "0xff")},
        words="different: 1 field, 1 byte in segment 0x40100000",
    ),
    Case("checksum alone", SAMPLE, flipped(SAMPLE, 0x852F), {"checksum": "differs"}, words="1 byte in"),
    Case(
        "segment grown",
        SAMPLE,
        rebuilt("grown"),
        {"segment 0x40100000": "differs", "checksum": "differs"},
        fields={"segment 0x40100000 size": ("24,576 bytes", "24,584 bytes")},
    ),
    Case(
        "segment elsewhere",
        SAMPLE,
        rebuilt("address"),
        {"segment 0x40100000": "differs"},
        fields={"segment 0x40100000 address": ("0x40100000", "0x40100040")},
    ),
    Case(
        "segment added",
        SAMPLE,
        rebuilt("added"),
        {"header": "differs", "segment 0x3ffec000": "differs", "checksum": "differs"},
        fields={"header segments": ("3", "4")},
    ),
    Case(
        "segment removed",
        SAMPLE,
        rebuilt("removed"),
        {"header": "differs", "segment 0x3ffe8900": "differs", "checksum": "differs"},
        fields={"header segments": ("3", "2")},
    ),
    Case("fill", SAMPLE, put(SAMPLE, 0x9000, b"x"), {"unknown": "differs"}),
    Case("nothing but erased flash behind", SAMPLE, SAMPLE + ERASED, {"irom": "outside"}, differs=False),
    Case("cut", SAMPLE, SAMPLE[:0x20001], {"irom": "differs"}, patterns=("cut",)),
    Case("cut at a sector", SAMPLE, SAMPLE[:0x20000], {"irom": "differs"}, patterns=("cut",)),
    Case(
        "interrupted",
        FULL,
        put(FULL, 0x20100, b"\xff" * (MB - 0x20100 - 0x5000)),
        {"irom": "differs"},
        patterns=("interrupted",),
    ),
    Case(
        "old firmware behind an interrupted write",
        SAMPLE,
        SAMPLE[:0x20100] + bytes(reversed(SAMPLE[0x20100:])),
        {"irom": "differs"},
        patterns=("interrupted",),
    ),
    Case("erased sector", SAMPLE, put(SAMPLE, 0x18000, ERASED), {"irom": "differs"}, patterns=("erased",)),
    Case(
        "zeroed code",
        SAMPLE,
        put(SAMPLE, 0x18000, bytes(64)),
        {"irom": "differs"},
        patterns=("bits-cleared",),
    ),
    Case(
        "swapped sectors",
        SAMPLE,
        put(put(SAMPLE, 0x18000, SAMPLE[0x1A000:0x1B000]), 0x1A000, SAMPLE[0x18000:0x19000]),
        {"irom": "differs"},
        patterns=("swapped",),
    ),
    Case(
        "shifted sectors",
        SAMPLE,
        put(SAMPLE, 0x19000, SAMPLE[0x18000:0x1B000]),
        {"irom": "differs"},
        patterns=("shifted",),
    ),
    Case(
        "text mode",
        IMAGES["sample/0x00000.bin"],
        IMAGES["sample/0x00000.bin"].replace(b"\n", b"\r\n"),
        {},
        patterns=("text-mode",),
    ),
    Case(
        "line ends",
        SAMPLE,
        SAMPLE[:0x12000] + SAMPLE[0x12000:0x13000].replace(b"\n", b"\r") + SAMPLE[0x13000:],
        {"irom": "differs"},
        patterns=("text-mode",),
    ),
    Case("rf-cal", FULL, put(FULL, 0xFB010, b"abc"), {"rf-cal": "firmware"}, differs=False),
    Case("parameters", FULL, put(FULL, 0xFD010, MARKER), {"system-param": "firmware"}, differs=False),
    Case("init data written", NO_INIT, FULL, {"init-data": "firmware"}, differs=False),
    Case("init data lost", FULL, NO_INIT, {"init-data": "differs"}, patterns=("erased",)),
    Case("other init data", NO_INIT, put(FULL, 0xFC000, SETS["v08"]), {"init-data": "differs"}),
    Case(
        "init data field",
        FULL,
        put(FULL, 0xFC000 + 107, b"\xff"),
        {"init-data": "differs"},
        fields={"init-data vdd33_const": ("0", "255")},
    ),
    Case(
        "init data with a unit",
        FULL,
        put(FULL, 0xFC000 + 34, b"\x40"),
        {"init-data": "differs"},
        fields={"init-data target_power_qdb_0": ("20.50 dBm", "16.00 dBm")},
    ),
    Case(
        "reserved byte",
        FULL,
        put(FULL, 0xFC000 + 20, b"\xf1"),
        {"init-data": "differs"},
        fields={"init-data reserved byte 20": ("0xf0", "0xf1")},
    ),
    Case(
        "behind init data",
        FULL,
        put(FULL, 0xFC080, b"x"),
        {"init-data": "differs"},
        fields={"init-data bytes behind the 128": ("not shown", "not shown, changed")},
    ),
    Case(
        "first boot of NodeMCU 3",
        FULL_3,
        booted(FULL_3),
        {"partition-table": "firmware"},
        differs=False,
        fields={
            "partition-table irom": ("0x010000, 0 bytes", "0x010000, 122,880 bytes"),
            "partition-table record that init data is in place": (None, "there, not shown"),
        },
    ),
    Case(
        "a NodeMCU 3 image and its board",
        IMAGE_3,
        put(booted(IMAGE_3.ljust(4 * MB, b"\xff")), 0xD000, MARKER),
        {"partition-table": "firmware", "rf-cal": "firmware", "init-data": "firmware"},
        differs=False,
    ),
    Case("size from a flashing tool", put(IMAGE_3, 3, b"\x20"), FULL_3, {"header": "differs"}),
    Case("back to an unresolved table", booted(FULL_3), FULL_3, {"partition-table": "differs"}),
    Case(
        "table resolved in another way",
        FULL_3,
        with_table(booted(FULL_3), 0x2000),
        {"partition-table": "differs"},
        fields={"partition-table SPIFFS0": ("0x000000, what is left", "0x03e000, 3,919,872 bytes")},
    ),
    Case(
        "start-up command",
        FULL_3,
        with_record(booted(FULL_3), nodemcu_page.START_COMMAND, MARKER.ljust(20, b"\0")),
        {"partition-table": "differs"},
        fields={"partition-table start-up command": (None, "there, not shown")},
    ),
    Case(
        "another start-up command",
        with_record(booted(FULL_3), nodemcu_page.START_COMMAND, b"abcd"),
        with_record(booted(FULL_3), nodemcu_page.START_COMMAND, MARKER.ljust(20, b"\0")),
        {"partition-table": "differs"},
        fields={"partition-table start-up command": ("there, not shown", "changed, not shown")},
    ),
    Case("files", DUMP, put(DUMP, 0x30200, MARKER), {"spiffs": "firmware"}, differs=False),
    Case(
        "file system made",
        put(DUMP, 0x30000, b"\xff" * 0x40000),
        DUMP,
        {"spiffs": "firmware"},
        differs=False,
    ),
    Case(
        "file system lost",
        DUMP,
        put(DUMP, 0x30000, b"\xff" * 0x40000),
        {"spiffs": "differs"},
        patterns=("erased",),
    ),
    Case(
        "file system moved",
        DUMP,
        put(put(DUMP, 0x30000, b"\xff" * 0x40000), 0x80000, DUMP[0x30000:0x70000]),
        {"spiffs": "differs"},
        patterns=("moved",),
    ),
    Case("lfs", USED_3, flipped(USED_3, 0x2E123), {"lfs": "differs"}),
    Case("EEPROM", ARDUINO, put(ARDUINO, 0x3FB100, MARKER), {"user-data": "firmware"}, differs=False),
    Case("not the EEPROM", ARDUINO, put(ARDUINO, 0x300000, MARKER), {"unknown": "differs"}),
    Case("NVS", RTOS, put(RTOS, 0x9200, MARKER), {"user-data": "firmware"}, differs=False),
    Case("phy_init", RTOS, flipped(RTOS, 0xF010), {"user-data": "differs"}),
    Case(
        "row of the RTOS SDK",
        IMAGES["rtos3/partitions-no-md5.bin"],
        put(IMAGES["rtos3/partitions-no-md5.bin"], 9, b"\x50"),
        {"partition-table": "differs"},
        fields={
            "partition-table nvs": (
                "data, nvs, 0x009000, 16,384 bytes, flags 0",
                "data, nvs, 0x009000, 20,480 bytes, flags 0",
            )
        },
    ),
    Case(
        "rBoot's ROM",
        RBOOT,
        put(RBOOT, 0x1009, b"\x30"),
        {"rboot-config": "differs"},
        fields={"rboot-config roms 0": ("0x2000", "0x3000")},
    ),
    Case("wrapped", SAMPLE, gzip.compress(SAMPLE, mtime=0), {}, differs=False, words="the same contents"),
    Case(
        "wrapped, with a difference",
        encode(merge([Piece(0, SAMPLE, "a")]), "hex"),
        gzip.compress(flipped(SAMPLE, 0x18004), mtime=0),
        {"irom": "differs"},
    ),
    Case(
        "an image in a dump",
        IMAGES["v2/user2.bin"],
        IMAGES["dumps/sdk-boot-2-slots-1m.bin"],
        {"irom": "outside", "rf-cal": "outside"},
        differs=False,
        words="the same over all that A covers",
    ),
    Case("an image and a whole flash", SAMPLE, FULL, {"init-data": "outside"}, differs=False),
    Case("a cut image and a whole flash", SAMPLE[:0x20000], FULL, {"irom": "differs"}),
    Case(
        "other kinds",
        SAMPLE,
        IMAGES["v2/user1.bin"],
        {"segment 0x40100000": "differs"},
        fields={"file kind": ("aggregated", "image-v2")},
        words="aggregated against image-v2",
    ),
    Case(
        "irom alone",
        SAMPLE,
        IMAGES["sample/0x10000.bin"],
        {"header": "differs"},
        fields={"file kind": ("aggregated", "irom")},
    ),
    Case("no firmware", SAMPLE, b"hello, world\n" * 99, {"header": "differs"}),
    Case("neither", b"hello, world\n" * 99, b"hello, World\n" * 99, {"unknown": "differs"}),
    Case("empty", b"", b"", {}, differs=False, words="the same, byte for byte"),
    Case("empty and not", SAMPLE, b"", {"irom": "differs"}),
]


@cache
def done(name: str, *, back: bool = False) -> Comparison:
    """The comparison of a case, made once."""
    case = next(case for case in CASES if case.name == name)
    return compare(case.b, case.a) if back else compare(case.a, case.b)


def states(result: Comparison) -> dict[str, str]:
    """Of regions of one name, the worst."""
    found: dict[str, str] = {}
    rank = [DiffState.SAME, DiffState.OUTSIDE, DiffState.FIRMWARE, DiffState.DIFFERS]
    for region in sorted(result.regions, key=lambda region: rank.index(region.state)):
        name = region.name.split(" of ")[0].split(" at ")[0]
        found[name] = str(region.state)
    return found


def values(result: Comparison) -> dict[str, tuple[str | None, str | None]]:
    return {f"{each.region} {each.name}": (each.a, each.b) for each in result.fields}


def tiles(regions: list[tuple[int, int]], size: int) -> bool:
    position = 0
    for offset, length in sorted(regions):
        if offset != position:
            return False
        position += length
    return position == size


def sides(result: Comparison) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return (
        [(r.offset_a, r.size_a) for r in result.regions if r.offset_a is not None],
        [(r.offset_b, r.size_b) for r in result.regions if r.offset_b is not None],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_difference(case: Case) -> None:
    result = done(case.name)
    found, named = states(result), values(result)

    assert {name: found.get(name) for name in case.states} == case.states
    assert {name: named.get(name) for name in case.fields} == case.fields
    assert result.differs is case.differs, result.verdict
    assert case.words in result.verdict
    assert set(case.patterns) <= {each.code for each in result.patterns}
    only_named = {name for name, state in found.items() if state in ("firmware", "differs")}
    if len(case.a) == len(case.b) and case.states:
        assert only_named <= set(case.states)
    a, b = sides(result)
    assert tiles(a, result.a.inner.size)
    assert tiles(b, result.b.inner.size)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_other_way_round(case: Case) -> None:
    there, back = done(case.name), done(case.name, back=True)

    assert there.same is back.same
    assert {(r.offset_a, r.offset_b, r.bytes) for r in there.regions if r.bytes} == {
        (r.offset_b, r.offset_a, r.bytes) for r in back.regions if r.bytes
    }
    assert {r.offset_a for r in there.regions if r.state is DiffState.SAME} == {
        r.offset_b for r in back.regions if r.state is DiffState.SAME
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_credentials_are_not_said(case: Case) -> None:
    for result in (done(case.name), done(case.name, back=True)):
        assert MARKER.decode() not in repr(result)
        assert MARKER.hex() not in repr(result)


@pytest.mark.parametrize("name", IMAGES)
def test_a_file_is_the_same_as_itself(name: str) -> None:
    result = compare(IMAGES[name], IMAGES[name])

    assert (result.same, result.differs, result.fields, result.patterns) == (True, False, (), ())
    assert {region.state for region in result.regions} <= {DiffState.SAME}


FIRMWARE_FOLDERS: Final = (
    "sample",
    "nodemcu-0.9.5",
    "nodemcu-1.5.4.1-cloud",
    "nodemcu-3.0-2019",
    "nodemcu-3.0-2021",
)


@pytest.mark.parametrize("folder", FIRMWARE_FOLDERS)
@pytest.mark.parametrize("size", ["1MB", "2MB"])
def test_what_a_first_boot_writes_is_the_firmwares_own(folder: str, size: str) -> None:
    fresh = full(folder, size)
    blank = put(fresh, len(fresh) - 4 * SECTOR, ERASED)

    for flash in (fresh, blank):
        result = compare(flash, booted(flash))
        assert not result.differs, (
            result.verdict,
            [r for r in result.regions if r.state is DiffState.DIFFERS],
        )


def changed_bytes(a: bytes, b: bytes) -> int:
    return sum(one != two for one, two in zip(a, b, strict=False)) + abs(len(a) - len(b))


BASES: Final = {
    "aggregated": SAMPLE,
    "v2": IMAGES["v2/user1.bin"],
    "arduino": IMAGES["arduino/core-3.1.bin"],
    "micropython": IMAGES["micropython/micropython.bin"],
    "NodeMCU 3": aggregate("nodemcu-3.0-2021"),
    "rtos": IMAGES["rtos3/app.bin"],
    "at-user": IMAGES["at-2014/user1-crc.bin"],
}


@settings(phases=NO_SHRINKING, max_examples=15)
@given(st.sampled_from(sorted(BASES)), st.data())
def test_every_byte_is_accounted_for(name: str, data: st.DataObject) -> None:
    base = BASES[name]
    other = base
    for place in data.draw(st.lists(st.integers(0x100, len(base) - 1), min_size=1, max_size=8)):
        other = flipped(other, place, data.draw(st.integers(1, 255)))
    other = other[: data.draw(st.sampled_from([len(base), len(base), len(base) - 3]))]
    result = compare(base, other)
    a, b = sides(result)

    assert tiles(a, len(base))
    assert tiles(b, len(other))
    if all(
        r.offset_a == r.offset_b for r in result.regions if r.offset_a is not None and r.offset_b is not None
    ):
        assert sum(r.bytes for r in result.regions) == changed_bytes(base, other)
    assert result.same is (base == other)


RESERVED: Final = [
    0xFC000 + at
    for each in FIELDS
    if each.name.startswith("reserved")
    for at in range(each.offset, each.offset + len(each.default))
]


@settings(phases=NO_SHRINKING, max_examples=15)
@given(
    st.one_of(
        st.integers(0, 7), st.integers(8, 0x852F), st.integers(0x10000, 0x2D5B3), st.sampled_from(RESERVED)
    ),
    st.integers(0, 7),
)
def test_a_flipped_bit_is_never_the_firmwares(place: int, bit: int) -> None:
    other = flipped(FULL, place, 1 << bit)
    for result in (compare(FULL, other), compare(other, FULL)):
        hit: list[RegionChange] = [
            r
            for r in result.regions
            if r.state is not DiffState.SAME and r.bytes and r.state is not DiffState.OUTSIDE
        ]
        assert result.differs
        assert DiffState.FIRMWARE not in {region.state for region in hit}
        assert sum(region.bytes for region in hit) == 1


CORPUS: Final = (
    "nodemcu/nodemcu_integer_0.9.5_20150318.bin",
    "nodemcu/fw-20150112-0x00000.bin",
    "nodemcu/fw-20150112-esp.nodemcu.bin",
    "nodemcu/fw092-nodemcu_2M_20141219.bin",
    "nodemcu/heikomat-firmware-lfs.bin",
    "at/at-sdk3.0.6-2024-06-user1.bin",
    "at/at-sdk3.0.6-2024-06-user2.bin",
    "boot/boot_v1.6.bin",
    "initdata/esp_init_data_default_v05.bin",
    "micropython/firmware-combined-2017.bin",
    "rtos/rtos3-hello-world.bin",
    "esphome/webtools-esp8266-2021.bin",
    "nearmiss/esp32c3-bootloader.bin",
)


def check_pair(a: bytes, b: bytes) -> Comparison:
    result = compare(a, b)
    one, two = sides(result)
    assert tiles(one, result.a.inner.size)
    assert tiles(two, result.b.inner.size)
    return result


def test_real_files_beside_themselves(corpus: Path) -> None:
    for name in CORPUS:
        data = (corpus / name).read_bytes()
        assert check_pair(data, data).same


@pytest.mark.long
def test_all_pairs_of_real_files(corpus: Path) -> None:
    files = [(corpus / name).read_bytes() for name in CORPUS]
    for a, b in combinations(files, 2):
        assert not check_pair(a, b).same


def test_some_pairs_of_real_files(corpus: Path) -> None:
    files = [(corpus / CORPUS[at]).read_bytes() for at in (1, 2, 3, 5, 8)]
    for a, b in combinations(files, 2):
        assert not check_pair(a, b).same


def test_two_slots_of_one_real_build(corpus: Path) -> None:
    one, two = ((corpus / f"at/at-sdk3.0.6-2024-06-user{slot}.bin").read_bytes() for slot in (1, 2))
    result = compare(one, two)

    assert values(result)["outer header slot"] == ("user1", "user2")


@pytest.mark.parametrize("offset", [0x2E000, 0x2E0B0, 0x2E800, 0x2EEC0])
def test_a_byte_in_front_of_a_file_system_is_no_change_of_it(offset: int) -> None:
    worn = DUMP[:offset] + b"\xfe" + DUMP[offset + 1 :]

    assert compare(DUMP, worn).differs
    assert [part.offset for part in describe(worn).parts if part.kind == "spiffs"] == [0x30000]


@pytest.mark.parametrize("place", [0x3FB000, 0x3FD000])
def test_code_in_the_sdks_sectors_was_not_put_there_by_the_firmware(place: int) -> None:
    code = DUMP[0x10000:0x11000]

    assert compare(DUMP, DUMP[:place] + code + DUMP[place + 0x1000 :]).differs
