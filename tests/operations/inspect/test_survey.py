from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import blocks
from fixtures.filesystems import Spiffs, Variant
from imgtool.formats.images.version1 import patch_header
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import file_systems
from tests.strategies import NO_SHRINKING
from tests.support import IMAGES, IROM, aggregate, holes, real, said, spans, table_page

V05 = IMAGES["init-data/v05.bin"]
SAMPLE = aggregate("sample")
END = len(SAMPLE)
BOOT_3 = IMAGES["nodemcu-3.0-2021/0x00000.bin"]
USED = IMAGES["nodemcu-3.0-2021-used/0x10000.bin"]
NOISE: bytes = blocks.stream("survey", 0x1000)
BLOCKS = [NOISE, bytes(0x1000), V05, SAMPLE[IROM:0x13000]]
CODES = {"512KB": 0, "1MB": 2, "2MB": 3, "4MB": 4, "8MB": 8, "16MB": 9}
BYTES = {name: 1 << (18 + power) for power, name in enumerate(CODES, 1)}


def flash(size: str, contents: dict[int, bytes], *, stated: str | None = None) -> bytes:
    """A whole flash with things at their addresses, erased elsewhere."""
    data = bytearray(b"\xff" * BYTES[size])
    for address, block in contents.items():
        data[address : address + len(block)] = block
    if data[0] != 0xE9:
        return bytes(data)
    return patch_header(bytes(data), size=CODES[stated or size])


@pytest.mark.parametrize("size", CODES)
def test_sdk_sectors_of_a_whole_flash(size: str) -> None:
    end = BYTES[size]
    description = describe(flash(size, {0: SAMPLE, end - 0x4000: V05}))

    assert spans(description.parts)[-3:] == [
        ("rf-cal", end - 0x5000, end - 0x4000),
        ("init-data", end - 0x4000, end - 0x3000),
        ("system-param", end - 0x3000, end),
    ]


@pytest.mark.parametrize("size", CODES)
def test_a_whole_flash_is_called_one(size: str) -> None:
    description = describe(flash(size, {0: SAMPLE, BYTES[size] - 0x4000: V05}))

    assert (description.kind, said(description.findings, "error", "warning")) == ("flash-dump", [])


def test_an_old_release_image_that_ends_before_the_last_sector() -> None:
    parts = describe(IMAGES["aggregated/sample-with-sdk-sectors.bin"]).parts

    # irom ends before the zeros that follow it; its own last byte may be zero.
    assert [kind for kind, _, _ in spans(parts)] == [
        "image-v1",
        "gap",
        "irom",
        "gap",
        "rf-cal",
        "init-data",
        "system-param",
    ]


def test_init_data_inside_irom_is_no_part() -> None:
    # The sample holds a copy of v05 in its strings, at an odd offset.
    assert V05 in SAMPLE[IROM:]
    assert "init-data" not in [kind for kind, _, _ in spans(describe(SAMPLE).parts)]


def test_a_flash_larger_than_its_header_says() -> None:
    description = describe(flash("4MB", {0: SAMPLE, 0xFC000: V05}, stated="1MB"))

    assert ("init-data", 0xFC000, 0xFD000) in spans(description.parts)
    assert said(description.findings, "warning") == ["flash-size-differs"]


def test_a_256kb_header_places_no_sdk_sectors() -> None:
    data = flash("1MB", {0: SAMPLE})
    description = describe(patch_header(data, size=1))

    below = [kind for kind, start, _ in spans(description.parts) if start <= 0x40000]
    assert below == ["image-v1", "gap", "irom", "blank"]


@pytest.mark.parametrize(
    ("content", "severity"),
    [(b"", "note"), (b"\x00" * 4, "warning")],
    ids=["blank", "something-else"],
)
def test_missing_init_data_is_said(content: bytes, severity: str) -> None:
    # NodeMCU 2.x writes its own only where the first word is erased.
    description = describe(flash("1MB", {0: SAMPLE, 0xFC000: content}))

    assert "init-data-missing" in said(description.findings, severity)


def test_damaged_init_data_is_an_error() -> None:
    description = describe(flash("1MB", {0: SAMPLE, 0xFC000: IMAGES["init-data/bad-marker.bin"]}))

    assert said(description.findings, "error") == ["init-data-version"]


def test_file_system_behind_the_firmware() -> None:
    description = describe(flash("1MB", {0: SAMPLE, 0x40000: IMAGES["spiffs/linear.bin"], 0xFC000: V05}))

    assert ("spiffs", 0x40000, 0x80000) in spans(description.parts)


def test_cut_file_system_is_an_error() -> None:
    description = describe(
        flash("512KB", {0: SAMPLE, 0x60000: IMAGES["spiffs/linear.bin"][:0x1B000], 0x7C000: V05})
    )

    assert said(description.findings, "error") == ["cut"]


def test_unknown_data_is_a_part_with_a_note() -> None:
    description = describe(flash("1MB", {0: SAMPLE, 0x80000: NOISE, 0xFC000: V05}))

    assert [span for span in spans(description.parts) if span[0] == "unknown"] == [
        ("unknown", 0x80000, 0x81000)
    ]
    assert "unknown-data" in said(description.findings, "note")


PLAIN = ["spiffs/no-magic.bin", "spiffs/files-0.9.5.bin", "spiffs/files-0.9.6.bin", "spiffs/files-1.5.1.bin"]


@pytest.mark.parametrize("address", [0x44000, 0x43000, 0x65000])
@pytest.mark.parametrize("name", PLAIN)
def test_spiffs_without_magics_inside_a_flash(name: str, address: int) -> None:
    system = IMAGES[name]
    description = describe(flash("1MB", {0: SAMPLE, address: system, 0xFC000: V05}))
    part = next(part for part in description.parts if part.kind == "spiffs")
    alone = describe(system).parts[0]

    # Blocks at its end that are erased, without an erase count, cannot be told from the flash behind it.
    assert (part.offset, part.facts["file_count"]) == (address, alone.facts["file_count"])
    assert part.size <= len(system)
    assert not system[part.size :].strip(b"\xff")
    assert [f.offset for f in description.findings if f.code == "no-magic"] == [address]
    assert [part for part in description.parts if part.kind == "unknown"] == []
    assert [(f.path, f.data) for f in file_systems(system)[0].files] == [
        (f.path, f.data) for f in file_systems(flash("1MB", {0: SAMPLE, address: system}))[0].files
    ]


def test_spiffs_without_its_start_is_none() -> None:
    system = Spiffs(Variant(0x1000, 32, None))
    for number in range(20):
        system.write(b"file-%d" % number, NOISE[:3000])
    tail = system.image()[0x1000:]  # its pages are numbered from a block that is not there

    assert "spiffs" not in {part.kind for part in describe(flash("1MB", {0: SAMPLE, 0x40000: tail})).parts}


def test_many_unknown_stretches_are_one_finding() -> None:
    places = dict.fromkeys(range(262144, 524288, 8192), NOISE[:300])
    description = describe(flash("1MB", {0: SAMPLE, 0xFC000: V05} | places))

    found = [finding for finding in description.findings if finding.code == "unknown-data"]
    assert [(each.offset, each.message[:13]) for each in found] == [(0x40000, "32 stretches ")]
    assert sum(part.kind == "unknown" for part in description.parts) == 32


FRESH = flash("4MB", {0: aggregate("nodemcu-3.0-2021")})
PLACE = next(part.offset for part in describe(FRESH).parts if part.note == "blank, place of SPIFFS0")


@pytest.mark.parametrize("behind", [0, 0x1000, 0x70000])
@pytest.mark.parametrize("name", ["spiffs/linear.bin", "spiffs/old-formula.bin", "littlefs/large-blocks.bin"])
def test_file_system_anywhere_in_its_place(name: str, behind: int) -> None:
    start, system = PLACE + behind, IMAGES[name]
    changed = FRESH[:start] + system + FRESH[start + len(system) :]
    description = describe(changed)

    assert (name.split("/", maxsplit=1)[0], start, start + len(system)) in spans(description.parts)
    assert said(description.findings, "error") == []
    assert holes(description) == []


def test_remnants_in_the_place_of_a_file_system_are_told_and_nothing_is_made_of_them() -> None:
    remnants = {0x1000: SAMPLE, 0x100000: NOISE, 0x200000: b"a: b\n" * 100}
    contents = {0: aggregate("nodemcu-3.0-2021")} | {PLACE + at: each for at, each in remnants.items()}
    changed = flash("4MB", contents)
    description = describe(changed)
    inside = [part for part in description.parts if PLACE <= part.offset < PLACE + 0x210000]

    assert {part.kind for part in inside} <= {"unknown", "blank", "gap"}
    assert {"text", "compressed or encrypted (7.9 bits a byte)"} <= {
        part.facts.get("looks_like") for part in inside
    }
    assert all("in the place of SPIFFS" in part.note for part in inside)
    assert said(description.findings, "error") == []


def test_file_system_that_is_cut_in_its_place_is_an_error() -> None:
    cut = FRESH[:PLACE] + IMAGES["spiffs/linear.bin"][:-0x4000]

    assert said(describe(cut).findings, "error") == ["cut"]


def test_used_sdk_sectors_are_still_named() -> None:
    data = flash("1MB", {0: SAMPLE, 0xFB000: NOISE, 0xFC000: V05, 0xFD000: NOISE[:300]})

    assert spans(describe(data).parts)[-3:] == [
        ("rf-cal", 0xFB000, 0xFC000),
        ("init-data", 0xFC000, 0xFD000),
        ("system-param", 0xFD000, 0x100000),
    ]


def test_a_used_nodemcu_3() -> None:
    lfs = blocks.stream("not an image", 0x2000)
    description = describe(
        flash("4MB", {0: BOOT_3, 0xF000: V05, IROM: USED, 0x2E000: lfs, 0x3E000: IMAGES["spiffs/linear.bin"]})
    )

    unnamed = ("image-v1", "irom", "gap", "blank", "unknown")
    assert [(kind, start) for kind, start, _ in spans(description.parts) if kind not in unnamed] == [
        ("rf-cal", 0xD000),
        ("init-data", 0xF000),
        ("partition-table", 0x10000),
        ("spiffs", 0x3E000),
        ("system-param", 0x3FD000),
    ]


def test_lfs_in_its_partition() -> None:
    image = IMAGES["lfs/lfs-5.1.raw"]
    from_make = image[:4812]
    placed = bytes([from_make[0] | 1]) + from_make[1:]
    data = flash("4MB", {0: BOOT_3, 0xF000: V05, IROM: USED, 0x2E000: placed})

    assert ("lfs", 0x2E000) in [(kind, start) for kind, start, _ in spans(describe(data).parts)]


ADDRESSES = st.integers(0, 0x110).map(lambda number: number * 0x1000)
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from([1, 4, 5, 6, 99, 103, 104, 105, 106, 107, 0]),
        st.one_of(ADDRESSES, st.integers(0, 0xFFFFFFFF)),
        st.one_of(ADDRESSES, st.integers(0, 0xFFFFFFFF)),
    ),
    max_size=6,
)


@settings(max_examples=25, phases=NO_SHRINKING)
@given(ENTRIES)
def test_any_partition_table_leaves_no_hole_and_no_overlap(entries: list[tuple[int, int, int]]) -> None:
    page = table_page((101, 0, 0xB000), (102, IROM, 0x20000), *entries)

    assert holes(describe(flash("1MB", {0: BOOT_3, IROM: page, 0x11000: NOISE}))) == []


@settings(max_examples=40, phases=NO_SHRINKING)
@given(st.lists(st.tuples(st.integers(0x20, 0xFF), st.sampled_from(BLOCKS)), max_size=8))
def test_any_contents_leave_no_hole(contents: list[tuple[int, bytes]]) -> None:
    placed = {0: SAMPLE, **{number * 0x1000: block for number, block in contents if number < 0xFD}}

    assert holes(describe(flash("1MB", placed))) == []


def test_real_release_with_init_data_at_its_place() -> None:
    parts = spans(describe(real("nodemcu/fw-20150112-esp.nodemcu.bin")).parts)

    assert ("init-data", 0x7C000, 0x7D000) in parts


def test_real_2mb_release_with_init_data_at_its_place() -> None:
    parts = spans(describe(real("nodemcu/fw092-nodemcu_2M_20141219.bin")).parts)

    assert ("init-data", 0x1FC000, 0x1FD000) in parts


@pytest.mark.parametrize("size", [0x40000, 0xFF000, 0x280000, 0x300000, 0x3FF000])
@pytest.mark.parametrize("name", ["nodemcu-3.0-2021", "nodemcu-3.0-2019"])
def test_cut_dump_of_a_nodemcu_3_that_never_started(name: str, size: int) -> None:
    description = describe(flash("4MB", {0: aggregate(name)})[:size])

    expected = "flash-size-differs" if size == 0x40000 else "cut-dump"
    assert expected in said(description.findings, "warning")


def test_cut_dump_of_a_used_nodemcu_3_is_a_warning() -> None:
    assert "cut-dump" in said(describe(IMAGES["dumps/nodemcu-3-used-4m.bin"][:0x300000]).findings, "warning")


@pytest.mark.parametrize("name", ["with-lfs", "with-files", "resolved-with-lfs"])
def test_an_image_with_more_behind_irom_is_no_cut_dump(name: str) -> None:
    image = patch_header(IMAGES[f"generations/nodemcu-3-{name}.bin"], size=CODES["4MB"])

    assert "cut-dump" not in said(describe(image).findings, "warning")


@pytest.mark.parametrize("name", ["nodemcu-1.5.1", "nodemcu-0.9.5"])
def test_blank_rf_cal_of_an_sdk_that_keeps_none_is_blank_flash(name: str) -> None:
    data = bytearray(IMAGES[f"generations/{name}.bin"])
    data[-0x5000:-0x4000] = b"\xff" * 0x1000
    description = describe(bytes(data))

    assert description.state is not None
    assert description.state.rf_cal is not None
    assert description.state.rf_cal.state == "none"
    assert "rf-cal" not in [kind for kind, _, _ in spans(description.parts)]


@pytest.mark.parametrize("name", ["sample", "nodemcu-3.0-2021"])
def test_init_data_of_an_earlier_firmware_is_a_remnant(name: str) -> None:
    sectors = {0x7B000: NOISE[:500], 0x7C000: V05, 0x7D000: NOISE[:400]}
    description = describe(flash("4MB", {0: aggregate(name), 0x3FC000: V05} | sectors))

    notes = {part.offset: (part.kind, part.note) for part in description.parts}
    assert notes[0x7C000] == ("unknown", "init data of an earlier firmware, set v05")
    assert notes[0x7D000][0] == "unknown"
