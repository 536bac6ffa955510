from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import RecordPage
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.flashing.plan import FlashPlan, PlanRequest, Reader, Target, plan_flash
from imgtool.operations.flashing.waivers import CHECKS
from imgtool.operations.inspect.describe import describe
from tests.slow_reader import SlowReader
from tests.strategies import NO_SHRINKING
from tests.support import CORPUS_VARIABLE, IMAGES, IROM, aggregate, codes, flipped, real, said

KILO: Final = 1024
MEGA: Final = 1024 * KILO
AUTO: Final = InitDataSource()
KEEP: Final = InitDataSource("keep")
V05: Final = IMAGES["init-data/v05.bin"]
V08: Final = IMAGES["init-data/v08.bin"]
SAMPLE: Final = aggregate("sample")
NODEMCU_3: Final = aggregate("nodemcu-3.0-2021")
USED: Final = IMAGES["dumps/nodemcu-3-used-4m.bin"]
DUMP_2_2: Final = IMAGES["dumps/nodemcu-2.2-4m.bin"]
ERASED: Final = b"\xff" * SECTOR


def target(size: int | None = 4 * MEGA, *, embedded: bool = False) -> Target:
    model = "ESP8285" if embedded else "ESP8266EX"
    return Target(model, embedded, "5c:cf:7f:00:00:01", bytes.fromhex("ef4016"), size, "W25Q32")


def reader(flash: bytes) -> Reader:
    return lambda address, size: bytes(flash[address : address + size])


def blank(size: int = 4 * MEGA) -> Reader:
    return reader(b"\xff" * size)


def whole(data: bytes, **options: object) -> PlanRequest:
    return PlanRequest((Piece(0, data, "fw.bin"),), init_data=AUTO, **options)  # type: ignore[arg-type]


def at(plan: FlashPlan, address: int, size: int) -> bytes | None:
    """The planned bytes of a stretch, None where it is not written as a whole."""
    got = b""
    for piece in plan.pieces:
        if piece.address <= address + len(got) < piece.end:
            begin = address + len(got) - piece.address
            got += piece.data[begin : begin + size - len(got)]
    return got if len(got) == size else None


def onto(flash: bytes, plan: FlashPlan) -> bytearray:
    """The flash after the plan was carried out."""
    written = bytearray(flash)
    for piece in plan.pieces:
        written[piece.address : piece.end] = piece.data
    return written


def header(plan: FlashPlan) -> tuple[str | None, str | None]:
    assert plan.header is not None
    return plan.header.size, plan.header.mode


def with_header(data: bytes, *, size: int | None = None, mode: int | None = None) -> bytes:
    block = bytearray(data)
    if size is not None:
        block[3] = size << 4
    if mode is not None:
        block[2] = mode
    return bytes(block)


# --- size ---

C1_4: Final = with_header(SAMPLE, size=6)
C1_2: Final = with_header(SAMPLE, size=5)
OLD: Final = aggregate("nodemcu-0.9.5")
CLOUD: Final = aggregate("nodemcu-1.5.4.1-cloud")


@pytest.mark.parametrize(
    ("data", "capacity", "size", "code"),
    [
        (SAMPLE, 512 * KILO, "512KB", None),
        (SAMPLE, MEGA, "1MB", None),
        (SAMPLE, 2 * MEGA, "2MB", None),
        (SAMPLE, 4 * MEGA, "4MB", None),
        (SAMPLE, 8 * MEGA, "8MB", None),
        (SAMPLE, 16 * MEGA, "16MB", None),
        (with_header(SAMPLE, size=9), 4 * MEGA, "4MB", None),
        (with_header(SAMPLE, size=7), 4 * MEGA, "4MB", None),
        (C1_4, 4 * MEGA, "4MB-c1", "c1-kept"),
        (C1_2, 2 * MEGA, "2MB-c1", "c1-kept"),
        (C1_2, 4 * MEGA, "4MB-c1", "c1-kept"),
        (C1_4, 2 * MEGA, "2MB-c1", "c1-kept"),
        (OLD, 4 * MEGA, "4MB", None),
        (OLD, 8 * MEGA, "4MB", "size-limited"),
        (CLOUD, 16 * MEGA, "4MB", "size-limited"),
        (NODEMCU_3, 16 * MEGA, "16MB", None),
        (aggregate("nonos-2.0", names=("eagle.flash", "eagle.irom0text")), 4 * MEGA, "4MB-c1", "c1-kept"),
        (IMAGES["micropython/micropython.bin"], 4 * MEGA, "4MB", None),
        (IMAGES["micropython/micropython.bin"], 16 * MEGA, "4MB", "size-limited"),
        (IMAGES["arduino/core-2.7.bin"], 4 * MEGA, "1MB", "size-kept"),
        (IMAGES["arduino/core-3.1.bin"], MEGA, "1MB", None),
        (IMAGES["arduino/core-2.3.bin"], 4 * MEGA, "1MB", "size-kept"),
        (IMAGES["rboot/whole.bin"], 2 * MEGA, "512KB", "size-kept"),
        (IMAGES["boot/boot-1.6-user1.bin"], 4 * MEGA, "512KB", "map-kept"),
        (IMAGES["sample/0x00000.bin"], 4 * MEGA, "4MB", None),
    ],
)
def test_the_size_that_is_found_goes_into_the_header(
    data: bytes, capacity: int, size: str, code: str | None
) -> None:
    plan = plan_flash(whole(data), target(capacity), blank(capacity))

    assert header(plan)[0] == size
    wanted = {"c1-kept", "size-limited", "size-kept", "map-kept"}
    assert [c for c in codes(plan.findings) if c in wanted] == ([] if code is None else [code])


def test_a_changed_size_is_said() -> None:
    plan = plan_flash(whole(SAMPLE), target(), blank())

    assert plan.changes[0] == "header size 1MB -> 4MB, the capacity found"
    assert at(plan, 0, 4) == SAMPLE[:3] + b"\x40"


def test_a_kept_size_is_kept_and_said() -> None:
    plan = plan_flash(whole(SAMPLE, size_choice="keep"), target(), blank())

    assert (header(plan)[0], at(plan, 0, len(SAMPLE))) == ("1MB", SAMPLE)
    assert "flash-size-differs" in said(plan.findings, "warning")


@pytest.mark.parametrize(
    "request_",
    [whole(SAMPLE, size_choice="2MB"), whole(SAMPLE, header=HeaderChange(size="2MB"))],
    ids=["choice", "header"],
)
def test_a_size_by_name(request_: PlanRequest) -> None:
    plan = plan_flash(request_, target(), blank())

    assert (header(plan)[0], plan.changes[0]) == ("2MB", "header size 1MB -> 2MB, as asked")


def test_an_unknown_capacity_changes_no_size() -> None:
    plan = plan_flash(whole(SAMPLE), target(None), blank())

    assert (header(plan)[0], "capacity-unknown" in said(plan.findings, "warning")) == ("1MB", True)


# --- mode ---


@pytest.mark.parametrize(
    ("data", "asked", "embedded", "mode", "code"),
    [
        (SAMPLE, None, False, "dio", None),
        (with_header(SAMPLE, mode=0), None, False, "qio", "flash-mode"),
        (SAMPLE, "qio", False, "qio", "flash-mode"),
        (SAMPLE, None, True, "dout", None),
        (SAMPLE, "dio", True, "dio", "flash-mode"),
        (IMAGES["arduino/core-2.7.bin"], None, True, "dout", None),
        (IMAGES["micropython/micropython.bin"], None, True, "dout", None),
        (USED, None, True, "dio", "flash-mode"),
    ],
)
def test_mode(data: bytes, asked: str | None, embedded: bool, mode: str, code: str | None) -> None:
    request = whole(data, header=HeaderChange(mode=asked))
    plan = plan_flash(request, target(embedded=embedded), blank())

    assert header(plan)[1] == mode
    assert [c for c in codes(plan.findings) if c == "flash-mode"] == ([] if code is None else [code])


def test_what_an_esp8285_needs_is_said() -> None:
    plan = plan_flash(whole(SAMPLE), target(embedded=True), blank())

    assert plan.changes[0] == "header mode dio -> dout, as an ESP8285 starts only with that"


def test_frequency() -> None:
    plan = plan_flash(whole(SAMPLE, header=HeaderChange(freq="80m")), target(), blank())

    assert at(plan, 2, 2) == b"\x02\x4f"


# --- what is refused ---

ARDUINO_DIO: Final = IMAGES["arduino/core-2.7.bin"]
LONG_IROM: Final = (IMAGES["sample/0x10000.bin"] * 4)[: 0x7B001 - IROM]
REFUSED: Final = {
    "text": ("chip", FormatError, [(0, IMAGES["text/page.bin"])], 4 * MEGA),
    "gzip": ("chip", FormatError, [(0, IMAGES["gzip/sample.bin.gz"])], 4 * MEGA),
    "elf": ("chip", FormatError, [(0, IMAGES["elf/sample.elf"])], 4 * MEGA),
    "elf elsewhere": ("chip", FormatError, [(0x10000, IMAGES["elf/sample.elf"])], 4 * MEGA),
    "hex": ("chip", FormatError, [(0, IMAGES["hex/sample.hex"])], 4 * MEGA),
    "esp32": ("chip", FormatError, [(0, IMAGES["esp32/bootloader-c3.bin"])], 4 * MEGA),
    "esp32 elsewhere": ("chip", FormatError, [(0x1000, IMAGES["esp32/bootloader-c3.bin"])], 4 * MEGA),
    "irom at 0": ("place", LayoutError, [(0, IMAGES["sample/0x10000.bin"])], 4 * MEGA),
    "blank at 0": ("chip", FormatError, [(0, IMAGES["blank.bin"])], 4 * MEGA),
    "noise at 0": ("chip", FormatError, [(0, bytes(range(1, 200)) * 9)], 4 * MEGA),
    "user1 at 0": ("place", LayoutError, [(0, IMAGES["v2/user1.bin"])], 4 * MEGA),
    "user1 of 2014 at 0": ("place", LayoutError, [(0, IMAGES["at-2014/user1.bin"])], 4 * MEGA),
    "rtos app at 0": ("place", LayoutError, [(0, IMAGES["rtos3/app.bin"])], 4 * MEGA),
    "lfs at 0": ("place", LayoutError, [(0, IMAGES["lfs/lfs-5.1.img"])], 4 * MEGA),
    "lfs unrelocated": ("place", LayoutError, [(0x98000, IMAGES["lfs/lfs-5.1.img"])], 4 * MEGA),
    "spiffs at 0": ("place", LayoutError, [(0, IMAGES["spiffs/linear.bin"])], 4 * MEGA),
    "init data at 0": ("place", LayoutError, [(0, V05)], 4 * MEGA),
    "whole firmware elsewhere": ("place", LayoutError, [(0x1000, SAMPLE)], 4 * MEGA),
    "irom elsewhere": ("place", LayoutError, [(0x40000, IMAGES["sample/0x10000.bin"])], 4 * MEGA),
    "irom of NodeMCU 3 elsewhere": (
        "place",
        LayoutError,
        [(0x11000, IMAGES["nodemcu-3.0-2021/0x10000.bin"])],
        4 * MEGA,
    ),
    "init data of another size": ("place", LayoutError, [(0, SAMPLE), (0x7C000, V05)], 4 * MEGA),
    "init data of SDK 2 for NodeMCU 3": ("place", LayoutError, [(0, NODEMCU_3), (0x3FC000, V05)], 4 * MEGA),
    "checksum": ("damaged", FormatError, [(0, IMAGES["broken/bad-checksum.bin"])], 4 * MEGA),
    "checksum of a pair": (
        "damaged",
        FormatError,
        [(0, IMAGES["broken/bad-checksum.bin"]), (IROM, IMAGES["sample/0x10000.bin"])],
        4 * MEGA,
    ),
    "cut": ("damaged", FormatError, [(0, IMAGES["broken/cut-in-segment.bin"])], 4 * MEGA),
    "header only": ("damaged", FormatError, [(0, IMAGES["broken/header-only.bin"])], 4 * MEGA),
    "cut NodeMCU 3": ("damaged", FormatError, [(0, NODEMCU_3[:-0x4000])], 4 * MEGA),
    "Arduino": ("damaged", FormatError, [(0, IMAGES["broken/arduino-bit.bin"])], 4 * MEGA),
    "MicroPython": ("damaged", FormatError, [(0, IMAGES["broken/micropython-bit.bin"])], 4 * MEGA),
    "dump that cannot boot": ("damaged", FormatError, [(0, flipped(DUMP_2_2, 0x100))], 4 * MEGA),
    "NodeMCU 3 on 512KB": ("fit", LayoutError, [(0, NODEMCU_3)], 512 * KILO),
    "c1 map on 1MB": ("fit", LayoutError, [(0, C1_4)], MEGA),
    "irom in the SDK's sectors": (
        "fit",
        LayoutError,
        [(0, IMAGES["sample/0x00000.bin"]), (IROM, LONG_IROM)],
        512 * KILO,
    ),
    "user data in the SDK's sectors": (
        "fit",
        LayoutError,
        [(0, SAMPLE), (0x3FA000, bytes(range(250)) * 20)],
        4 * MEGA,
    ),
    "dump with a larger size in its header": (
        "fit",
        LayoutError,
        [(0, with_header(IMAGES["dumps/at-512k.bin"], size=4))],
        512 * KILO,
    ),
    "Arduino for more flash": ("size", LayoutError, [(0, IMAGES["arduino/core-2.7.bin"])], 512 * KILO),
    "unaligned": ("sector", LayoutError, [(0x200010, b"abcd" * 9)], 4 * MEGA),
}


def pieces_of(contents: list[tuple[int, bytes]]) -> tuple[Piece, ...]:
    return tuple(Piece(address, data, f"{address:x}.bin") for address, data in contents)


@pytest.mark.parametrize(("check", "kind", "contents", "capacity"), REFUSED.values(), ids=REFUSED)
def test_refused(
    check: str, kind: type[ImgtoolError], contents: list[tuple[int, bytes]], capacity: int
) -> None:
    with pytest.raises(kind) as caught:
        plan_flash(PlanRequest(pieces_of(contents)), target(capacity))

    assert (caught.value.data["check"], caught.value.source is not None) == (check, True)


@pytest.mark.parametrize(("check", "kind", "contents", "capacity"), REFUSED.values(), ids=REFUSED)
def test_forced(
    check: str, kind: type[ImgtoolError], contents: list[tuple[int, bytes]], capacity: int
) -> None:
    del kind
    plan = plan_flash(PlanRequest(pieces_of(contents), force=frozenset({check})), target(capacity))

    assert f"forced-{check}" in said(plan.findings, "warning")
    written = onto(b"\xff" * (4 * MEGA), plan)
    for address, data in contents:
        assert written[address + 4 : address + len(data)] == data[4:]


def test_every_check_has_its_row() -> None:
    assert set(CHECKS) == {check for check, *_ in REFUSED.values()} | {"mode"}


def test_an_esp8285_and_a_mode_that_cannot_be_changed() -> None:
    dio = bytearray(ARDUINO_DIO)
    dio[2] = 2
    request = whole(bytes(dio), force=frozenset({"damaged"}))

    with pytest.raises(FormatError) as caught:
        plan_flash(request, target(embedded=True))
    assert caught.value.check == "mode"


@pytest.mark.parametrize("change", [HeaderChange(size="4MB"), HeaderChange(mode="qio")])
def test_asked_for_but_covered_by_a_check(change: HeaderChange) -> None:
    request = whole(IMAGES["arduino/core-2.7.bin"], header=change)

    with pytest.raises(FormatError, match="the header cannot be changed alone"):
        plan_flash(request, target())
    plan = plan_flash(replace(request, force=frozenset({"size", "mode"})), target())
    assert at(plan, 0, 4) == IMAGES["arduino/core-2.7.bin"][:4]


@pytest.mark.parametrize("force", [frozenset[str](), frozenset(CHECKS)], ids=["plain", "forced"])
@pytest.mark.parametrize(
    ("contents", "capacity"),
    [
        ([(0, SAMPLE), (0x8000, b"x" * 100)], 4 * MEGA),
        ([(0x3FF000, b"x" * 0x1001)], 4 * MEGA),
        ([(0, DUMP_2_2)], 2 * MEGA),
        ([(0, SAMPLE), (0x20000, V05)], 4 * MEGA),
    ],
    ids=["overlap", "beyond", "large dump", "init data in firmware"],
)
def test_the_impossible_is_not_forced(
    contents: list[tuple[int, bytes]], capacity: int, force: frozenset[str]
) -> None:
    with pytest.raises(LayoutError) as caught:
        plan_flash(PlanRequest(pieces_of(contents), force=force), target(capacity))

    assert caught.value.check is None


def test_that_force_is_in_vain_is_said() -> None:
    with pytest.raises(LayoutError, match="the bytes have no place"):
        plan_flash(whole(DUMP_2_2, force=frozenset({"fit"})), target(2 * MEGA))


def test_a_size_by_name_beyond_the_chip() -> None:
    with pytest.raises(LayoutError) as caught:
        plan_flash(whole(SAMPLE, size_choice="16MB"), target())

    assert caught.value.check == "fit"


def test_a_header_to_change_that_is_not_there() -> None:
    piece = Piece(IROM, IMAGES["sample/0x10000.bin"], "irom.bin")

    with pytest.raises(FormatError, match="no image header at address 0"):
        plan_flash(PlanRequest((piece,), header=HeaderChange(mode="dio")), target())


def test_nothing_to_write() -> None:
    with pytest.raises(LayoutError, match="nothing to put"):
        plan_flash(PlanRequest(), target())


# --- flash images ---


@pytest.mark.parametrize("name", [name for name in IMAGES if name.startswith("dumps/")])
def test_a_flash_image_is_written_unchanged(name: str) -> None:
    data = IMAGES[name]
    request = whole(data, force=frozenset({"fit", "damaged"}))
    plan = plan_flash(request, target(len(data)), blank(len(data)))

    assert [(piece.address, piece.data) for piece in plan.pieces] == [(0, data)]
    assert (plan.whole, plan.changes, plan.kept) == (True, (), ())


def test_a_flash_image_for_less_flash_is_a_warning() -> None:
    plan = plan_flash(whole(IMAGES["dumps/at-512k.bin"]), target(), blank())

    assert (plan.pieces[0].data, said(plan.findings, "warning")) == (
        IMAGES["dumps/at-512k.bin"],
        ["flash-size-differs"],
    )


def test_a_backup_of_a_blank_chip() -> None:
    plan = plan_flash(whole(b"\xff" * MEGA), target(MEGA), blank(MEGA))

    assert plan.whole


def test_a_changed_header_is_not_for_a_flash_image() -> None:
    plan = plan_flash(whole(DUMP_2_2, header=HeaderChange(mode="qio")), target())

    assert (plan.pieces[0].data, "header-kept" in said(plan.findings, "warning")) == (DUMP_2_2, True)


@pytest.mark.parametrize("mode", [None, "dio"])
def test_what_is_in_the_header_of_a_flash_image_is_no_change(mode: str | None) -> None:
    request = replace(whole(DUMP_2_2, header=HeaderChange(mode=mode)), size_choice="4MB")
    plan = plan_flash(request, target(), blank())

    assert "header-kept" not in said(plan.findings, "warning")


def test_init_data_into_a_flash_image_on_request() -> None:
    request = replace(whole(DUMP_2_2), init_data=InitDataSource("v08"))
    plan = plan_flash(request, target())

    assert at(plan, 0x3FC000, SECTOR) == V08.ljust(SECTOR, b"\xff")
    assert at(plan, 0, 0x3FB000) == DUMP_2_2[:0x3FB000]


# --- init data ---

FLASH_V08: Final = b"\xff" * 0x3FC000 + V08.ljust(0x4000, b"\xff")
FLASH_OTHER: Final = b"\xff" * 0x3FC000 + b"\x00" * 0x4000


@pytest.mark.parametrize(
    ("choice", "flash", "erase", "written", "code"),
    [
        ("auto", b"\xff" * (4 * MEGA), False, V05, None),
        ("auto", FLASH_OTHER, False, V05, None),
        ("auto", FLASH_V08, False, None, "init-data"),
        ("auto", FLASH_V08, True, V05, None),
        ("auto", None, False, None, "init-data-unseen"),
        ("auto", None, True, V05, None),
        ("keep", FLASH_V08, False, None, "init-data"),
        ("keep", b"\xff" * (4 * MEGA), False, None, "init-data-missing"),
        ("keep", FLASH_OTHER, False, None, "init-data-missing"),
        ("keep", None, False, None, "init-data-unseen"),
        ("none", b"\xff" * (4 * MEGA), False, None, None),
        ("v05", FLASH_V08, False, V05, None),
        ("v08", FLASH_V08, False, V08, None),
        ("v08", None, False, V08, None),
        ("file", FLASH_V08, False, IMAGES["init-data/g1.bin"], None),
    ],
)
def test_init_data(
    choice: str, flash: bytes | None, erase: bool, written: bytes | None, code: str | None
) -> None:
    file = Piece(0, IMAGES["init-data/g1.bin"], "g1.bin") if choice == "file" else None
    request = replace(whole(SAMPLE, erase_all=erase), init_data=InitDataSource(choice, file))
    plan = plan_flash(request, target(), None if flash is None else reader(flash))

    init = None if written is None else written.ljust(SECTOR, b"\xff")
    rf_cal = None if written is None else ERASED
    assert (at(plan, 0x3FC000, SECTOR), at(plan, 0x3FB000, SECTOR)) == (init, rf_cal)
    assert [c for c in codes(plan.findings) if c.startswith("init-data")] == ([] if code is None else [code])
    assert any("init data" in change for change in plan.changes) == (written is not None)


def test_no_choice_is_keep() -> None:
    plan = plan_flash(PlanRequest((Piece(0, SAMPLE, "fw"),)), target(), blank())

    assert at(plan, 0x3FC000, SECTOR) is None


def test_init_data_of_the_request_is_enough() -> None:
    request = PlanRequest((Piece(0, SAMPLE, "fw"), Piece(0x3FC000, V08, "v08.bin")), init_data=AUTO)
    plan = plan_flash(request, target(), blank())

    assert at(plan, 0x3FC000, 128) == V08
    assert "init-data" in said(plan.findings, "note")


def test_fields_of_the_devices_init_data() -> None:
    source = InitDataSource("auto", None, {"crystal_26m_en": "40MHz"})
    plan = plan_flash(replace(whole(SAMPLE), init_data=source), target(), reader(FLASH_V08))

    assert at(plan, 0x3FC000, 128) == V08[:48] + b"\x00" + V08[49:]


@pytest.mark.parametrize("name", ["arduino/core-2.7.bin", "rboot/whole.bin"])
def test_init_data_for_firmware_without_a_known_layout(name: str) -> None:
    request = replace(whole(IMAGES[name]), init_data=InitDataSource("v05"))

    with pytest.raises(LayoutError, match="knows no flash layout for this file"):
        plan_flash(request, target(), blank())


def test_fields_of_no_init_data() -> None:
    source = InitDataSource("none", None, {"crystal_26m_en": "40MHz"})

    with pytest.raises(LayoutError, match="no init data to set fields in"):
        plan_flash(replace(whole(SAMPLE), init_data=source), target(), blank())


@pytest.mark.parametrize("name", ["arduino/core-2.7.bin", "micropython/micropython.bin", "rboot/whole.bin"])
def test_firmware_without_a_known_layout_gets_no_init_data(name: str) -> None:
    plan = plan_flash(whole(IMAGES[name]), target(), blank())

    assert ([piece.address for piece in plan.pieces], plan.rule) == ([0], "")


# --- NodeMCU 3: record page ---


def upgrade(data: bytes = NODEMCU_3, flash: bytes = USED, **options: object) -> FlashPlan:
    return plan_flash(whole(data, **options), target(), reader(flash))


def test_the_record_page_of_the_device_is_kept() -> None:
    plan = upgrade()

    assert at(plan, IROM, SECTOR) == USED[IROM : IROM + SECTOR]
    assert at(plan, IROM + SECTOR, len(NODEMCU_3) - IROM - SECTOR) == NODEMCU_3[IROM + SECTOR :]
    assert "the record page of the device is kept: partition table, start-up command" in plan.changes


def test_with_it_stay_init_data_and_files() -> None:
    plan = upgrade()

    assert [kept.name for kept in plan.kept] == [
        "RF cal",
        "init data",
        "record page",
        "LFS0",
        "SPIFFS0",
        "system parameters",
    ]
    assert [at(plan, place, 1) for place in (0xD000, 0xF000, 0x2E000, 0x3E000)] == [None] * 4


@pytest.mark.parametrize(("fresh", "erase"), [(True, False), (False, True)], ids=["fresh", "erase"])
def test_the_images_own_settings(fresh: bool, erase: bool) -> None:
    plan = upgrade(fresh_settings=fresh, erase_all=erase)

    assert at(plan, IROM, SECTOR) == NODEMCU_3[IROM : IROM + SECTOR]


def test_a_page_that_cannot_be_read_is_replaced_and_that_is_said() -> None:
    plan = plan_flash(whole(NODEMCU_3), target())

    assert (at(plan, IROM, SECTOR), "settings-unseen" in said(plan.findings, "warning")) == (
        NODEMCU_3[IROM : IROM + SECTOR],
        True,
    )


def test_irom_alone_keeps_the_page() -> None:
    code = IMAGES["nodemcu-3.0-2021/0x10000.bin"]
    plan = plan_flash(PlanRequest((Piece(IROM, code, "irom"),)), target(), reader(USED))

    assert at(plan, IROM, SECTOR) == USED[IROM : IROM + SECTOR]


def with_table(**sizes: tuple[int, int]) -> bytes:
    """The used device with other places for some of its partitions."""
    page = RecordPage.parse(USED, IROM)
    assert page.table is not None
    entries = tuple(
        replace(e, address=sizes[e.name][0], size=sizes[e.name][1]) if e.name in sizes else e
        for e in page.table.entries
    )
    payload = nodemcu_page.table_payload(replace(page.table, entries=entries))
    records = tuple(replace(r, payload=payload) if r.id == nodemcu_page.TABLE else r for r in page.records)
    return USED[:IROM] + RecordPage(records).build() + USED[IROM + SECTOR :]


def test_irom_in_the_kept_table_grows() -> None:
    flash = with_table(irom=(IROM, 0x18000))
    plan = upgrade(flash=flash)

    page = RecordPage.parse(at(plan, IROM, SECTOR) or b"")
    assert page.table is not None
    code = page.table.find(nodemcu_page.IROM)
    assert code is not None
    assert code.size == 0x1E000
    assert [record.id for record in page.records] == [1, 2, 5]
    assert page.table.entries[4:] == (RecordPage.parse(flash, IROM).table or page.table).entries[4:]
    assert "irom in the device's partition table: 0x18000 -> 0x1e000 bytes" in plan.changes


def with_lfs(flash: bytes) -> bytes:
    """With what is loaded for LFS at 0x20000."""
    return flash[:0x20000] + USED[0x2E000:0x2F000] + flash[0x21000:]


@pytest.mark.parametrize(
    ("flash", "moves"),
    [
        (with_lfs(with_table(irom=(IROM, 0x10000), LFS0=(0x20000, 0x10000))), ["lfs-lost"]),
        (with_table(SPIFFS0=(0x3E000, 0x3C0000)), []),
        (with_table(SPIFFS0=(0x3E000, 0x3C0000), irom=(IROM, 0x2C000), LFS0=(0x3C000, 0x2000)), []),
    ],
    ids=["irom too large", "leaves the flash", "leaves the flash, empty LFS"],
)
def test_a_page_that_does_not_fit_is_replaced_and_that_is_said(flash: bytes, moves: list[str]) -> None:
    plan = upgrade(flash=flash)

    assert at(plan, IROM, SECTOR) == NODEMCU_3[IROM : IROM + SECTOR]
    assert said(plan.findings, "warning") == ["settings-replaced", *moves]


def test_without_valid_init_data_the_first_boot_is_told_to_write_it() -> None:
    flash = USED[:0xF000] + ERASED + USED[0x10000:]
    plan = plan_flash(replace(whole(NODEMCU_3), init_data=KEEP), target(), reader(flash))

    records = RecordPage.parse(at(plan, IROM, SECTOR) or b"").records
    assert nodemcu_page.PHY_DATA_DONE not in [record.id for record in records]
    assert at(plan, 0xF000, SECTOR) is None


def test_auto_adds_init_data_where_the_table_has_it() -> None:
    flash = USED[:0xF000] + ERASED + USED[0x10000:]
    plan = upgrade(flash=flash)

    assert (at(plan, 0xF000, 128), at(plan, 0xD000, SECTOR)) == (V05, ERASED)
    assert at(plan, IROM, SECTOR) == USED[IROM : IROM + SECTOR]


def test_a_boot_image_alone_stays_out_of_the_devices_table() -> None:
    flash = with_table(**{"RF cal": (0x8000, 0x1000), "EAGLEROM": (0, 0x8000)})
    piece = Piece(0, IMAGES["nodemcu-3.0-2021/0x00000.bin"], "0x00000.bin")

    with pytest.raises(LayoutError) as caught:
        plan_flash(PlanRequest((piece,)), target(), reader(flash))
    assert caught.value.check == "fit"


def test_the_table_of_a_smaller_size_is_kept_with_a_note() -> None:
    flash = with_table(SPIFFS0=(0x3E000, 0xBF000), **{"system parameters": (0xFD000, 0x3000)})
    plan = upgrade(flash=with_header(flash, size=2))

    assert (header(plan)[0], "table-small" in said(plan.findings, "note")) == ("4MB", True)


# --- named places ---

LFS: Final = ("@lfs", Piece(0, IMAGES["lfs/lfs-5.1.img"], "lfs.img"))
SPIFFS: Final = ("@spiffs", Piece(0, IMAGES["spiffs/linear.bin"], "fs.bin"))
INIT: Final = ("@init-data", Piece(0, V08, "v08.bin"))
RF: Final = ("@rf-cal", Piece(0, ERASED, "blank.bin"))


@pytest.mark.parametrize(
    ("named", "data", "flash", "places"),
    [
        (LFS, None, USED, [0x2E000]),
        (SPIFFS, None, USED, [0x3E000]),
        (INIT, None, USED, [0xD000, 0xF000]),
        (RF, None, USED, [0xD000]),
        (SPIFFS, None, DUMP_2_2, None),
        (INIT, None, DUMP_2_2, [0x3FB000, 0x3FC000]),
        (RF, None, DUMP_2_2, [0x3FB000]),
        (SPIFFS, SAMPLE, None, [0, 0x30000]),
        (INIT, SAMPLE, None, [0, 0x3FB000, 0x3FC000]),
        (SPIFFS, NODEMCU_3, None, [0, 0xE000, 0x10000, 0x3E000]),
        (INIT, NODEMCU_3, None, None),
        (RF, SAMPLE, None, [0, 0x3FB000]),
    ],
)
def test_named_places(
    named: tuple[str, Piece], data: bytes | None, flash: bytes | None, places: list[int] | None
) -> None:
    pieces = () if data is None else (Piece(0, data, "fw"),)
    plan = plan_flash(PlanRequest(pieces, (named,)), target(), None if flash is None else reader(flash))

    assert any(named[0] in change for change in plan.changes)
    if places is not None:
        assert [piece.address for piece in plan.pieces] == places


@pytest.mark.parametrize("named", [LFS, SPIFFS, INIT, RF])
@pytest.mark.parametrize(
    ("pieces", "read"),
    [((), None), ((), blank()), ((Piece(0, ARDUINO_DIO, "a"),), blank())],
    ids=["unread", "blank device", "arduino"],
)
def test_named_places_that_nothing_tells(
    named: tuple[str, Piece], pieces: tuple[Piece, ...], read: Reader | None
) -> None:
    with pytest.raises(LayoutError):
        plan_flash(PlanRequest(pieces, (named,)), target(), read)


# --- sectors ---


def test_unaligned_bytes_keep_what_is_around_them() -> None:
    flash = bytes(range(256)) * (4 * MEGA // 256)
    plan = plan_flash(PlanRequest((Piece(0x200810, b"<>" * 8, "data"),)), target(), reader(flash))

    sector = flash[0x200000:0x201000]
    assert [(piece.address, piece.data) for piece in plan.pieces] == [
        (0x200000, sector[:0x810] + b"<>" * 8 + sector[0x820:])
    ]


def test_pieces_that_share_a_sector_are_one() -> None:
    pieces = (Piece(0x200000, b"a" * 16, "a"), Piece(0x200100, b"b" * 0x1000, "b"))
    plan = plan_flash(PlanRequest(pieces), target(), reader(bytes(4 * MEGA)))

    wanted = b"a" * 16 + bytes(0xF0) + b"b" * 0x1000 + bytes(0xF00)
    assert [(p.address, p.data, p.name) for p in plan.pieces] == [(0x200000, wanted, "a and b")]


def test_a_tail_that_cannot_be_read_is_erased_and_that_is_said() -> None:
    plan = plan_flash(PlanRequest((Piece(0x200000, b"a" * 16, "a"),)), target())

    assert (plan.pieces[0].data, said(plan.findings, "warning")) == (
        b"a" * 16 + b"\xff" * 0xFF0,
        ["sector-tail"],
    )


def test_behind_firmware_the_sector_is_erased() -> None:
    plan = plan_flash(whole(SAMPLE), target(), reader(bytes(4 * MEGA)))

    end = -(-len(SAMPLE) // SECTOR) * SECTOR
    assert (at(plan, len(SAMPLE), end - len(SAMPLE)) or b"").strip(b"\xff") == b""


# --- what stays ---


SDK_SECTORS: Final = [("rf-cal", 0x3FB000), ("init-data", 0x3FC000), ("system-param", 0x3FD000)]


def test_rest_of_the_flash_stays() -> None:
    plan = plan_flash(whole(SAMPLE), target(), reader(DUMP_2_2))
    end = -(-len(SAMPLE) // SECTOR) * SECTOR

    assert [(kept.name, kept.start) for kept in plan.kept] == [
        ("rest of the flash, as it is", end),
        *SDK_SECTORS,
    ]
    assert plan.kept[0].size == 0x3FB000 - end


@pytest.mark.parametrize(
    ("address", "kept", "findings"),
    [(0x200000, [("SPIFFS", 0x30000)], []), (0x38000, [], ["filesystem-overwritten"])],
)
def test_files_are_looked_for_where_something_is_written_behind_the_firmware(
    address: int, kept: list[tuple[str, int]], findings: list[str]
) -> None:
    pieces = (Piece(0, SAMPLE, "nodemcu.bin"), Piece(address, b"data" * 1024, "data.bin"))
    plan = plan_flash(PlanRequest(pieces, init_data=AUTO), target(), reader(DUMP_2_2))

    assert [(each.name, each.start) for each in plan.kept] == kept + SDK_SECTORS
    assert said(plan.findings, "warning") == findings


def test_after_erasing_all_nothing_stays() -> None:
    assert plan_flash(whole(SAMPLE, erase_all=True), target(), reader(DUMP_2_2)).kept == ()


@pytest.mark.parametrize(("data", "flash"), [(SAMPLE, DUMP_2_2), (NODEMCU_3, USED), (NODEMCU_3, DUMP_2_2)])
@pytest.mark.parametrize(("quick", "most"), [(True, 0x8000), (False, 0x2000)])
def test_little_is_read_of_the_device(data: bytes, flash: bytes, quick: bool, most: int) -> None:
    read = SlowReader(flash, quick=quick)

    plan_flash(whole(data), target(), read)

    assert read.count < most
    assert len(read.reads) == len(set(read.reads))


# --- sets of files ---


@pytest.mark.parametrize(
    ("contents", "addresses"),
    [
        (
            [(0, "nonos-1.3/0x00000.bin"), (0x40000, "nonos-1.3/0x40000.bin")],
            [0, 0x40000, 0x3FB000, 0x3FC000],
        ),
        (
            [(0, "boot/boot-1.6.bin"), (0x1000, "v2/user1.bin"), (0x3FC000, "init-data/v08.bin")],
            [0, 0x1000, 0x3FC000],
        ),
        (
            [(0, "sample/0x00000.bin"), (IROM, "sample/0x10000.bin"), (0x100000, "spiffs/linear.bin")],
            [0, IROM, 0x100000, 0x3FB000, 0x3FC000],
        ),
        (
            [(0, "rtos3/bootloader.bin"), (0x8000, "rtos3/partitions.bin"), (IROM, "rtos3/app.bin")],
            [0, 0x8000, IROM],
        ),
        (
            [(0, "nodemcu-3.0-2021/0x00000.bin"), (IROM, "nodemcu-3.0-2021/0x10000.bin")],
            [0, 0xD000, 0xF000, IROM],
        ),
        ([(0x200000, "spiffs/linear.bin")], [0x200000]),
        ([(0x3FC000, "init-data/v05.bin"), (0x3FE000, "blank.bin")], [0x3FC000, 0x3FE000]),
    ],
    ids=["sdk-1.3", "fota", "pair-and-files", "rtos", "nodemcu-3", "files", "sdk-sectors"],
)
def test_sets_of_files(contents: list[tuple[int, str]], addresses: list[int]) -> None:
    pieces = tuple(Piece(address, IMAGES[name], name) for address, name in contents)
    plan = plan_flash(PlanRequest(pieces, init_data=AUTO), target(), blank())

    assert [piece.address for piece in plan.pieces] == addresses
    assert said(plan.findings, "error") == []


@pytest.mark.parametrize(
    ("data", "flash", "embedded"),
    [
        (SAMPLE, b"\xff" * (4 * MEGA), False),
        (SAMPLE, DUMP_2_2, True),
        (NODEMCU_3, b"\xff" * (4 * MEGA), False),
        (NODEMCU_3, USED, True),
        (aggregate("nodemcu-3.0-2019"), USED, False),
        (OLD, b"\xff" * (4 * MEGA), False),
    ],
)
def test_afterwards_the_flash_passes_inspect(data: bytes, flash: bytes, embedded: bool) -> None:
    plan = plan_flash(whole(data), target(embedded=embedded), reader(flash))
    after = describe(bytes(onto(flash, plan)))

    assert (after.kind, said(after.findings, "error", "warning")) == (FileKind.FLASH_DUMP, [])
    assert after.header == plan.header
    files = {PartKind.SPIFFS, PartKind.LFS} & {part.kind for part in describe(flash).parts}
    assert files <= {part.kind for part in after.parts}


# --- laws ---

CONTENTS: Final = (
    SAMPLE,
    NODEMCU_3,
    C1_4,
    IMAGES["arduino/core-2.7.bin"],
    IMAGES["micropython/micropython.bin"],
    IMAGES["rboot/whole.bin"],
    IMAGES["sample/0x00000.bin"],
)
FLASHES: Final = (None, b"\xff" * (4 * MEGA), bytes(4 * MEGA), USED, DUMP_2_2)
EXTRA: Final = st.builds(
    Piece, st.integers(0x40000, 0x3FA000), st.binary(min_size=1, max_size=5000), st.just("x")
)
REQUESTS: Final = st.builds(
    PlanRequest,
    st.tuples(st.sampled_from(CONTENTS), st.lists(EXTRA, max_size=2)).map(
        lambda drawn: (Piece(0, drawn[0], "fw"), *drawn[1])
    ),
    size_choice=st.sampled_from(["detect", "keep", "1MB"]),
    header=st.sampled_from([HeaderChange(), HeaderChange(freq="20m")]),
    init_data=st.sampled_from([None, AUTO, KEEP, InitDataSource("v08")]),
    fresh_settings=st.booleans(),
    erase_all=st.booleans(),
    force=st.sampled_from([frozenset[str](), frozenset(CHECKS)]),
)
ADDED: Final = ("record page of the device", "init data v05", "init data v08", "blank RF calibration")


def planned(request_: PlanRequest, flash: bytes | None, *, embedded: bool) -> FlashPlan | ImgtoolError:
    try:
        return plan_flash(request_, target(embedded=embedded), None if flash is None else reader(flash))
    except (FormatError, LayoutError) as error:
        return error


def free_of(plan: FlashPlan, piece: Piece) -> bytes:
    """The bytes of a piece that the plan must hold: its header, and what was added or stays, left out."""
    data = bytearray(piece.data)
    if piece.address == 0:
        data[2:4] = b"\xff\xff"
    kept = [(k.start, k.start + k.size) for k in plan.kept if k.name != "record page"]
    for low, high in kept:
        stays = piece.data[max(0, low - piece.address) : max(0, high - piece.address)]
        assert stays.strip(b"\xff") == b""
    added = [(p.address, p.end) for p in plan.pieces if any(name in p.name for name in ADDED)]
    for low, high in kept + added:
        start, stop = max(low, piece.address) - piece.address, min(high, piece.end) - piece.address
        if start < stop:
            data[start:stop] = b"\xff" * (stop - start)
    return bytes(data)


@settings(max_examples=60, deadline=None, phases=NO_SHRINKING)
@given(REQUESTS, st.sampled_from(FLASHES), st.booleans())
def test_laws(request_: PlanRequest, flash: bytes | None, embedded: bool) -> None:
    plan = planned(request_, flash, embedded=embedded)
    if isinstance(plan, ImgtoolError):
        assert plan.check not in request_.force
        return
    assert plan == planned(request_, flash, embedded=embedded)
    ends = [0, *(piece.end for piece in plan.pieces)]
    assert all(end <= piece.address for end, piece in zip(ends, plan.pieces, strict=False))
    assert all((p.address % SECTOR, p.end % SECTOR) == (0, 0) for p in plan.pieces)
    assert ends[-1] <= 4 * MEGA
    written = onto(flash or b"\xff" * (4 * MEGA), plan)
    for piece in request_.pieces:
        must = free_of(plan, piece)
        got = written[piece.address : piece.end]
        assert all(a == b for a, b in zip(must, got, strict=True) if a != 0xFF)
    for kept in plan.kept:
        hit = [p for p in plan.pieces if p.address < kept.start + kept.size and kept.start < p.end]
        assert kept.name == "record page" or hit == []


# --- real images ---

CORPUS: Final = os.environ.get(CORPUS_VARIABLE)
NAMES: Final = sorted("/".join(path.parts[-2:]) for path in (Path(CORPUS).glob("*/*.bin") if CORPUS else ()))


def planned_for(request_: PlanRequest, capacity: int) -> FlashPlan | ImgtoolError:
    try:
        return plan_flash(request_, target(capacity), blank(capacity))
    except (FormatError, LayoutError) as error:
        return error


@pytest.mark.parametrize("name", NAMES)
def test_real_images_on_every_size(name: str) -> None:
    data = real(name)
    for capacity in sorted({size.bytes for size in FLASH_SIZES} - {256 * KILO}):
        request = replace(whole(data), init_data=KEEP)
        plan = planned_for(request, capacity)
        if isinstance(plan, ImgtoolError):
            assert plan.check is not None or len(data) > capacity
        else:
            assert onto(b"\xff" * capacity, plan)[4 : len(data)] == data[4:]


@pytest.mark.parametrize("capacity", [MEGA, 4 * MEGA, 16 * MEGA])
def test_real_nodemcu_3(capacity: int) -> None:
    data = real("nodemcu/heikomat-firmware-lfs.bin")
    plan = plan_flash(whole(data), target(capacity), blank(capacity))

    assert (plan.flash is not None and plan.flash.bytes, at(plan, 0xC000, 128)) == (capacity, V05)
