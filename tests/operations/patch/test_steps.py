"""Changes to images: only what is asked for and what follows from it, and back again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, FLASH_SIZES
from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats.images.rtos_app import ESP32_SIZES
from imgtool.formats.reading import FileKind
from imgtool.formats.regions import init_data
from imgtool.operations.assemble.extras import AT_ITS_PLACE, InitDataSource
from imgtool.operations.assemble.fullimage import fullimage
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.inspect.describe import Description, describe
from imgtool.operations.patch.steps import Changes, Patched, Write, patch
from imgtool.operations.patch.table import TableChange
from tests.support import IMAGES, aggregate, codes, corpus_folder, flipped

OTHERS = (
    "broken/",
    "programs/",
    "esp32/",
    "tuya/",
    "dumps/",
    "generations/",
)  # damaged, closed, or too large to be many
PATCHABLE = tuple(
    name
    for name, data in IMAGES.items()
    if not name.startswith(OTHERS) and (described := describe(data)).header and described.ok
)
DUMPS = ("dumps/nodemcu-2.2-4m.bin", "dumps/nodemcu-3-used-4m.bin", "dumps/arduino-4m.bin")
BLOCK = 4096
USER_2014 = "at-2014/user"  # its header has a slot where others have mode and size


def size_in(description: Description) -> str | None:
    header = description.header
    assert header is not None
    code = header.size_freq_code >> 4
    return ESP32_SIZES.get(code) if description.kind is FileKind.RTOS_APP else header.size


def header_changes(description: Description) -> list[tuple[Changes, Changes]]:
    """One change of each field, and what takes it back."""
    header = description.header
    assert header is not None
    size = size_in(description)
    pairs = [(Changes(entry=header.entry ^ 4), Changes(entry=header.entry))]
    if header.mode is not None:
        mode = next(name for name in FLASH_MODES if name != header.mode)
        pairs.append((Changes(HeaderChange(mode=mode)), Changes(HeaderChange(mode=header.mode))))
    if header.freq is not None:
        freq = next(name for name in FLASH_FREQUENCIES if name != header.freq)
        pairs.append((Changes(HeaderChange(freq=freq)), Changes(HeaderChange(freq=header.freq))))
    if size is not None:
        other = "8MB" if size == "4MB" else "4MB"
        pairs.append((Changes(HeaderChange(size=other)), Changes(HeaderChange(size=size))))
    return pairs


def check_places(before: Description) -> set[int]:
    """The bytes of all check values."""
    covers = [(check.cover, check.bits // 8) for _, check in before.checksums]
    return {cover.place + n for cover, size in covers if cover is not None for n in range(size)}


def changed_places(old: bytes, new: bytes) -> set[int]:
    assert len(old) == len(new)
    return {
        place
        for start in range(0, len(old), BLOCK)
        if old[start : start + BLOCK] != new[start : start + BLOCK]
        for place in range(start, min(start + BLOCK, len(old)))
        if old[place] != new[place]
    }


def check_there_and_back(data: bytes) -> None:
    before = describe(data)
    for change, back in header_changes(before):
        made = patch(data, change)
        asked = {edit.offset + n for edit in made.edits for n in range(len(edit.data))}
        assert made.data != data
        assert changed_places(data, made.data) <= asked
        assert asked - check_places(before) <= {
            start + n for start in (0, 0x1000, inner_of(before)) for n in range(2, 8)
        }
        assert made.after.ok
        assert [check.ok for _, check in made.after.checksums] == [True] * len(before.checksums)
        assert patch(made.data, back).data == data


def inner_of(description: Description) -> int:
    """Where the image inside a version-2 image begins."""
    images = [part.offset for part in description.parts if str(part.kind) == "image-v1"]
    return images[0] if images else 0


@pytest.mark.parametrize("name", [name for name in PATCHABLE if not name.startswith(USER_2014)])
def test_every_header_field_there_and_back(name: str) -> None:
    check_there_and_back(IMAGES[name])


@pytest.mark.parametrize("name", DUMPS)
def test_every_header_field_of_a_dump_there_and_back(name: str) -> None:
    check_there_and_back(IMAGES[name])


def test_every_header_field_of_every_real_image_there_and_back() -> None:
    checked = 0
    for path in sorted(corpus_folder().rglob("*.bin")):
        data = path.read_bytes()
        before = describe(data)
        if before.header is not None and before.ok:
            checked += 1
            check_there_and_back(data)
    assert checked >= 20


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("v2/user1.bin", ["CRC-32"]),
        ("arduino/core-2.7.bin", ["CRC-32"]),
        ("arduino/core-3.1.bin", ["CRC-32"]),
        ("rtos3/app.bin", ["SHA-256"]),
        ("micropython/micropython.bin", []),  # its MD5 leaves out the first four bytes
        ("sample/0x00000.bin", []),
    ],
)
def test_which_checks_follow_a_change_of_mode(name: str, kinds: list[str]) -> None:
    mode = "qout"  # no fixture has it
    made = patch(IMAGES[name], Changes(HeaderChange(mode=mode)))

    assert [edit.field for edit in made.edits if edit.field.endswith("check")] == [
        f"{k} check" for k in kinds
    ]


def test_arduino_has_the_flash_in_both_headers() -> None:
    made = patch(IMAGES["arduino/core-3.1.bin"], Changes(HeaderChange(mode="qout", size="2MB")))

    assert made.data[2:4] == made.data[0x1002:0x1004]
    assert [edit.field for edit in made.edits if edit.follows] == [
        "application's flash mode",
        "application's flash size",
        "CRC-32 check",
    ]


def test_the_entry_point_of_arduino_is_the_boot_loaders() -> None:
    data = IMAGES["arduino/core-3.1.bin"]

    made = patch(data, Changes(entry=0x4010_F010))

    assert made.data[4:8] == (0x4010_F010).to_bytes(4, "little")
    assert made.data[0x1004:0x1008] == data[0x1004:0x1008]


def test_a_slot_number_stays_and_a_repeated_byte_follows() -> None:
    slot, repeated = IMAGES["v2/user1.bin"], IMAGES["v2/no-tail.bin"]
    if describe(repeated).header.slot is not None:  # type: ignore[union-attr]  # it is an image
        inner = inner_of(describe(repeated))
        repeated = repeated[:2] + repeated[inner + 2 : inner + 4] + repeated[4:]

    assert patch(slot, Changes(HeaderChange(size="2MB"))).data[:4] == slot[:4]
    made = patch(repeated, Changes(HeaderChange(mode="dio", size="2MB"))).data
    inner = inner_of(describe(made))
    assert made[2:4] == made[inner + 2 : inner + 4] == b"\x02\x30"


def test_a_header_with_a_slot_has_no_flash_to_change() -> None:
    data = bytearray(IMAGES["at-2014/user1.bin"])
    data[2:4] = b"\x00\x01"

    with pytest.raises(FormatError, match="user slot"):
        patch(bytes(data), Changes(HeaderChange(mode="dio")))


@pytest.mark.parametrize(
    ("name", "change", "error", "words"),
    [
        ("0x10000", Changes(HeaderChange(mode="dio")), FormatError, "no image header"),
        ("init-data/v05.bin", Changes(HeaderChange(mode="dio")), FormatError, "no image header"),
        ("gzip/sample.bin.gz", Changes(HeaderChange(mode="dio")), FormatError, "packed"),
        ("tuya/ota.bin", Changes(HeaderChange(mode="dio")), FormatError, "container"),
        ("esp32/bootloader-c3.bin", Changes(HeaderChange(mode="dio")), FormatError, "another chip"),
        ("broken/cut-in-segment.bin", Changes(HeaderChange(mode="dio")), FormatError, "not whole"),
        ("sample/0x00000.bin", Changes(entry=0x3FFE_8000), LayoutError, "no code can run"),
        ("sample/0x00000.bin", Changes(entry=0x5000_0000), LayoutError, "no code can run"),
        ("rtos3/app.bin", Changes(HeaderChange(size="512KB")), LayoutError, "another table"),
        ("sample/0x00000.bin", Changes(init_data=InitDataSource("keep", None, {"vdd33_const": "33"})),
         FormatError, "no init data"),
        ("nodemcu-0.9.5", Changes(HeaderChange(size="8MB")), LayoutError, "a way of its own"),
        ("nodemcu-3.0-2021", Changes(HeaderChange(size="512KB")), LayoutError, "1MB"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, change: Changes, error: type[ImgtoolError], words: str) -> None:
    data = IMAGES.get(name) or (IMAGES["sample/0x10000.bin"] if name == "0x10000" else aggregate(name))

    with pytest.raises(error, match=words):
        patch(data, change)


# Checks that were wrong before.


def test_a_wrong_check_over_the_change_refuses_it() -> None:
    data = IMAGES["v2/bad-crc.bin"]

    with pytest.raises(FormatError, match="CRC-32 that covers the change was wrong before") as caught:
        patch(data, Changes(HeaderChange(mode="dio")))

    assert caught.value.check == "repair"


def test_a_wrong_check_that_does_not_cover_the_change_stays_wrong() -> None:
    data = IMAGES["broken/bad-checksum.bin"]

    made = patch(data, Changes(HeaderChange(mode="qout")))

    assert changed_places(data, made.data) == {2}
    assert "checksum" in codes(made.findings)
    assert not made.after.ok


@pytest.mark.parametrize(
    "name",
    [
        "broken/bad-checksum.bin",
        "v2/bad-crc.bin",
        "broken/arduino-bit.bin",
        "broken/arduino-header-patched.bin",
        "broken/arduino-length.bin",
        "broken/arduino-3-length.bin",
        "broken/micropython-bit.bin",
        "broken/micropython-length.bin",
        "broken/rtos3-app-bit.bin",
        "broken/ram-bit.bin",
        "broken/rboot-rom-bit.bin",
    ],
)
def test_repair_makes_every_check_right(name: str) -> None:
    data = IMAGES[name]
    assert not describe(data).ok

    made = patch(data, Changes(repair=True))

    assert made.after.ok
    assert len(changed_places(data, made.data)) <= 40
    assert patch(made.data, Changes(repair=True)).data == made.data


def test_repair_sets_the_first_byte_right() -> None:
    data = b"\x00" + IMAGES["sample/0x00000.bin"][1:]

    assert patch(data, Changes(repair=True)).data == IMAGES["sample/0x00000.bin"]


# Init data.


def full(name: str, size: str = "4MB") -> bytes:
    return fullimage([Piece(0, aggregate(name), name)], size).data


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (IMAGES["init-data/v05.bin"], 0),
        (IMAGES["init-data/sector.bin"], 0),
        (full("sample", "1MB"), 0xFC000),
        (full("sample", "4MB"), 0x3FC000),
        (full("nodemcu-3.0-2021"), 0xF000),
        (full("nodemcu-3.0-2019"), 0xC000),
    ],
    ids=["alone", "sector", "1MB", "4MB", "NodeMCU 3, 2021", "NodeMCU 3, 2019"],
)
def test_fields_of_init_data_are_set_where_it_stands(data: bytes, place: int) -> None:
    fields = {
        "target_power_qdb_0": "17dBm",
        "crystal_26m_en": "40MHz",
        "vdd33_const": "33",
        "rf_cal_use_flash": "3",
        "force_freq_offset": "-16kHz",
    }

    made = patch(data, Changes(init_data=InitDataSource("keep", None, fields)))

    assert changed_places(data, made.data) == {place + n for n in (34, 48, 107, 113, 114)}
    assert made.data[place + 34] == 68
    assert made.data[place + 113] == 0xFE
    shown = {edit.field: (edit.old, edit.new) for edit in made.edits}
    assert shown["init data target_power_qdb_0"] == ("20.50 dBm", "17.00 dBm")
    assert shown["init data crystal_26m_en"] == ("26mhz", "40mhz")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("target_power_qdb_0", "20.75", "0.00 to 20.50 dBm"),
        ("target_power_qdb_0", "17.1", "steps of 0.25"),
        ("crystal_26m_en", "27MHz", "40mhz, 26mhz, 24mhz"),
        ("vdd33_const", "37", "18 to 36"),
        ("freq_correct_en", "2", "0 to 1, 3, 5, 7"),
        ("reserved_2", "1", "docs/formats/init-data.md"),
        ("vdd_const", "33", "vdd33_const"),
    ],
)
def test_values_that_a_field_cannot_have_are_refused_with_those_it_can(
    field: str, value: str, words: str
) -> None:
    with pytest.raises(FormatError) as caught:
        patch(IMAGES["init-data/v05.bin"], Changes(init_data=InitDataSource("keep", None, {field: value})))

    assert words in str(caught.value)


def test_another_set_is_shown_field_by_field() -> None:
    made = patch(IMAGES["init-data/v05.bin"], Changes(init_data=InitDataSource("v08")))

    assert made.data == IMAGES["init-data/v08.bin"]
    assert [edit.offset for edit in made.edits] == [1, 34, 35, 36, 37, 38]


def test_init_data_goes_where_there_is_none() -> None:
    data = full("sample", "1MB")
    blank = data[:0xFC000] + b"\xff" * 0x1000 + data[0xFD000:]

    assert patch(blank, Changes(init_data=InitDataSource("v05"))).data == data


def test_of_two_places_for_init_data_the_headers_counts() -> None:
    data = bytearray(full("sample", "4MB"))
    data[0xFC000 : 0xFC000 + 128] = IMAGES["init-data/v08.bin"]

    made = patch(bytes(data), Changes(init_data=InitDataSource("keep", None, {"vdd33_const": "33"})))

    assert changed_places(bytes(data), made.data) == {0x3FC000 + 107}


def test_init_data_that_the_sdk_would_not_find_is_told() -> None:
    source = InitDataSource("keep", None, {"vdd33_const": "33"})
    data = full("sample", "4MB")

    assert "init-data-place" in codes(
        patch(data, Changes(HeaderChange(size="1MB"), init_data=source)).findings
    )
    assert "init-data-place" not in codes(patch(data, Changes(init_data=source)).findings)


def test_rf_calibration_of_before_is_told() -> None:
    change = Changes(init_data=InitDataSource("keep", None, {"rf_cal_use_flash": "3"}))

    assert "rf-cal-kept" in codes(patch(IMAGES["dumps/nodemcu-2.2-4m.bin"], change).findings)
    assert "rf-cal-kept" not in codes(patch(full("sample", "1MB"), change).findings)


# Bytes at addresses.


def test_bytes_at_a_file_offset_and_at_a_load_address_are_the_same() -> None:
    data = IMAGES["sample/0x00000.bin"]
    segment = describe(data).parts[0].segments[1]
    block = bytes(255 - byte for byte in data[segment.offset + 8 : segment.offset + 12])

    by_offset = patch(data, Changes(writes=(Write(segment.offset + 8, block, "x"),)))
    by_address = patch(data, Changes(writes=(Write(segment.address + 8, block, "x"),)))

    assert by_offset.data == by_address.data
    assert by_offset.after.ok
    assert changed_places(data, by_offset.data) == {
        segment.offset + 8 + n for n in range(4)
    }  # XOR of 4 x 0xff


@pytest.mark.parametrize(
    ("name", "offset", "checks"),
    [
        ("v2/user1.bin", 0x100, ["CRC-32"]),  # irom: the XOR does not cover it
        ("v2/user1.bin", 0x18800, ["XOR", "CRC-32"]),
        ("rtos3/app.bin", 0x4000, ["XOR", "SHA-256"]),
        ("micropython/micropython.bin", 0xA000, ["MD5"]),
        ("micropython/micropython.bin", 0x100, ["XOR", "MD5"]),
        ("arduino/core-2.7.bin", 0x2000, ["XOR", "CRC-32"]),
        ("arduino/core-3.1.bin", 0x2000, ["XOR", "CRC-32"]),
        ("arduino/core-3.1.bin", 0x100, ["XOR", "CRC-32"]),
        ("rboot/config-checksum.bin", 3, ["XOR"]),
    ],
)
def test_a_changed_byte_takes_all_its_checks_along(name: str, offset: int, checks: list[str]) -> None:
    data = IMAGES[name]
    block = bytes([data[offset] ^ 1])

    made = patch(data, Changes(writes=(Write(offset, block, "x"),)))

    assert made.after.ok
    assert [edit.field for edit in made.edits if edit.follows] == [f"{check} check" for check in checks]
    assert patch(made.data, Changes(writes=(Write(offset, data[offset : offset + 1], "x"),))).data == data


def test_irom_has_an_address_too() -> None:
    data = aggregate("sample")

    made = patch(data, Changes(writes=(Write(0x4021_0100, b"\x12\x34", "x"),)))

    assert made.data[0x10100:0x10102] == b"\x12\x34"


@pytest.mark.parametrize(
    ("write", "error", "words"),
    [
        (Write(0x3FFF_FF00, b"12", "x"), LayoutError, "nothing in the file has this address"),
        (Write(0x8530, b"0", "x"), LayoutError, "does not lie in the file"),
        (Write(0x852F, b"0", "x"), FormatError, "computed"),
        (Write(0, b"\x00", "x"), FormatError, "damage|another kind"),
        (Write(1, b"\x05", "x"), FormatError, "damage"),
        (Write(4, b"", "x"), FormatError, "nothing to write"),
    ],
)
def test_writes_that_are_refused(write: Write, error: type[ImgtoolError], words: str) -> None:
    with pytest.raises(error, match=words):
        patch(IMAGES["sample/0x00000.bin"], Changes(writes=(write,)))


@pytest.mark.parametrize(
    "changes",
    [
        Changes(writes=(Write(0x20, b"12"), Write(0x21, b"3"))),
        Changes(HeaderChange(mode="qio"), writes=(Write(2, b"\x03"),)),
        Changes(writes=(Write(0x20, b"12"), Write(0x4010_0010, b"3"))),
    ],
    ids=["offsets", "header", "offset and load address"],
)
def test_two_changes_of_the_same_bytes_are_refused(changes: Changes) -> None:
    with pytest.raises(LayoutError, match="the same bytes"):
        patch(IMAGES["sample/0x00000.bin"], changes)


def test_a_write_that_leaves_its_segment_is_refused() -> None:
    data = IMAGES["sample/0x00000.bin"]
    segment = describe(data).parts[0].segments[0]

    with pytest.raises(LayoutError, match="behind the end of what is there"):
        patch(data, Changes(writes=(Write(segment.address + segment.size - 1, b"12", "x"),)))


# LFS and file systems.


LFS = Piece(0, IMAGES["lfs/lfs-5.1.img"], "lfs.img")


def test_an_lfs_image_is_relocated_into_its_partition() -> None:
    data = full("nodemcu-3.0-2019")

    made = patch(data, Changes(table=TableChange(lfs_size=0x10000), lfs=LFS))

    lfs = next(part for part in made.after.parts if str(part.kind) == "lfs")
    main = int.from_bytes(made.data[lfs.offset + 8 : lfs.offset + 12], "little")
    assert lfs.facts["absolute"]
    assert 0x4020_0000 + lfs.offset <= main < 0x4020_0000 + lfs.end
    page = range(0x10000, 0x11000)
    assert changed_places(data, made.data) - set(page) <= set(range(lfs.offset, lfs.end))


def test_a_shorter_image_leaves_nothing_of_the_one_before() -> None:
    first = patch(full("nodemcu-3.0-2019"), Changes(table=TableChange(lfs_size=0x10000), lfs=LFS)).data
    lfs = next(part for part in describe(first).parts if str(part.kind) == "lfs")
    used = first[: lfs.end] + b"old" + first[lfs.end + 3 :]

    assert patch(used, Changes(lfs=LFS)).data == first


def test_an_lfs_image_for_other_numbers_is_refused() -> None:
    with pytest.raises(FormatError, match="another number type"):
        patch(full("nodemcu-3.0-2021"), Changes(lfs=LFS))


def test_a_file_system_goes_to_an_address_or_to_its_place() -> None:
    image = Piece(0x200000, IMAGES["spiffs/linear.bin"], "files")
    data = full("sample")

    made = patch(data, Changes(filesystem=image))

    assert made.data[0x200000 : 0x200000 + len(image.data)] == image.data
    own = patch(full("nodemcu-3.0-2021"), Changes(filesystem=replace(image, address=AT_ITS_PLACE)))
    assert any(str(part.kind) == "spiffs" for part in own.after.parts)


@pytest.mark.parametrize("address", [0x0, 0x10000, 0x3FB000, 0x3C0000])
def test_a_file_system_over_firmware_or_sdk_sectors_is_refused(address: int) -> None:
    image = Piece(address, IMAGES["spiffs/linear.bin"], "files")

    with pytest.raises(LayoutError, match="lies over"):
        patch(full("sample"), Changes(filesystem=image))


# Laws.


@st.composite
def wishes(draw: st.DrawFn) -> tuple[str, Changes]:
    """An image and a change to it."""
    name = draw(st.sampled_from([name for name in PATCHABLE if not name.startswith(USER_2014)]))
    data = IMAGES[name]
    sizes = ["1MB", "2MB", "4MB"] if name.startswith("rtos3/app") else [size.name for size in FLASH_SIZES]
    header = HeaderChange(
        draw(st.sampled_from([None, *FLASH_MODES])),
        draw(st.sampled_from([None, *FLASH_FREQUENCIES])),
        draw(st.sampled_from([None, *sizes])),
    )
    place = draw(st.integers(0, len(data) - 1))
    block = draw(st.binary(min_size=1, max_size=8))
    write = Write(place, block[: len(data) - place], "x")
    return name, Changes(header, writes=draw(st.sampled_from([(), (write,)])))


@settings(max_examples=60)
@given(wishes())
def test_a_patch_is_refused_or_leaves_a_whole_file_with_the_change_in_it(wish: tuple[str, Changes]) -> None:
    name, changes = wish
    data = IMAGES[name]
    before = describe(data)
    try:
        made: Patched = patch(data, changes)
    except ImgtoolError:
        return

    assert made.after.kind == before.kind
    assert made.after.ok or not before.ok
    for write in changes.writes:
        assert made.data[write.address : write.address + len(write.data)] == write.data
    listed = {run.offset + n for run in made.differences for n in range(len(run.new))}
    assert changed_places(data, made.data) == listed


@given(st.sampled_from(sorted(init_data.SETS)), st.sampled_from([f for f in init_data.FIELDS if f.settable]),
       st.integers(-128, 255))  # fmt: skip
def test_any_legal_value_of_any_field_is_set_and_no_other(
    set_name: str, field: init_data.Field, raw: int
) -> None:
    data = init_data.SETS[set_name]
    source = InitDataSource("keep", None, {field.name: f"0x{raw & 0xFF:02x}"})
    try:
        made = patch(data, Changes(init_data=source))
    except FormatError:
        assert field.legal
        assert (raw & 0xFF) not in field.legal
        return

    assert made.data[field.offset] == raw & 0xFF
    assert changed_places(data, made.data) <= {field.offset}


def test_flipped_bits_of_covered_bytes_are_found_by_the_checks_that_patch_keeps_right() -> None:
    made = patch(IMAGES["v2/user1.bin"], Changes(HeaderChange(mode="dio"))).data

    assert not describe(flipped(made, 0x200)).ok
