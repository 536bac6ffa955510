"""What must hold for every format of fixtures/firmwares.py, damaged in every way."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import firmwares
from imgtool.formats.images import (
    arduino,
    at_user,
    micropython,
    ram,
    rboot,
    rtos_app,
    rtos_bootloader,
    sdk_bootloader,
)
from imgtool.formats.reading import FileKind, Severity
from imgtool.formats.regions import rboot_config, rtos_otadata, rtos_partitions
from imgtool.formats.registry import identify

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.formats.reading import Reading

READERS = (
    arduino.read,
    at_user.read,
    micropython.read,
    ram.read,
    rboot.read,
    rboot_config.read,
    rtos_app.read,
    rtos_bootloader.read,
    rtos_otadata.read,
    rtos_partitions.read,
    sdk_bootloader.read,
)

KINDS = {
    "arduino/core-2.3.bin": FileKind.ARDUINO,
    "arduino/core-2.7.bin": FileKind.ARDUINO,
    "arduino/core-2.7-trailing.bin": FileKind.ARDUINO,
    "arduino/core-3.1.bin": FileKind.ARDUINO,
    "arduino/esphome.bin": FileKind.ARDUINO,
    "micropython/micropython.bin": FileKind.MICROPYTHON,
    "micropython/circuitpython.bin": FileKind.MICROPYTHON,
    "micropython/early.bin": FileKind.MICROPYTHON,
    "rtos3/app.bin": FileKind.RTOS_APP,
    "rtos3/app-no-hash.bin": FileKind.RTOS_APP,
    "rtos3/bootloader.bin": FileKind.RTOS_BOOTLOADER,
    "rtos3/partitions.bin": FileKind.PARTITION_TABLE,
    "rtos3/partitions-empty.bin": FileKind.PARTITION_TABLE,
    "rtos3/partitions-no-md5.bin": FileKind.PARTITION_TABLE,
    "rtos3/otadata.bin": FileKind.OTADATA,
    "boot/boot-1.6.bin": FileKind.SDK_BOOTLOADER,
    "boot/boot-1.6-user1.bin": FileKind.SDK_BOOTLOADER,
    "rboot/rboot.bin": FileKind.RBOOT,
    "rboot/whole.bin": FileKind.RBOOT,
    "rboot/whole-blank-config.bin": FileKind.RBOOT,
    "rboot/config.bin": FileKind.RBOOT_CONFIG,
    "rboot/config-checksum.bin": FileKind.RBOOT_CONFIG,
    "rboot/config-zeros.bin": FileKind.RBOOT_CONFIG,
    "rboot/config-2048-zeros.bin": FileKind.RBOOT_CONFIG,
    "at-2014/user1.bin": FileKind.AT_USER,
    "at-2014/user2.bin": FileKind.AT_USER,
    "at-2014/user1-crc.bin": FileKind.AT_USER,
    "ram/hello.bin": FileKind.RAM_IMAGE,
}
BROKEN = sorted(name for name in firmwares.build() if name.startswith("broken/"))
# Warned about, not wrong: rBoot may well be flashed without a ROM.
BROKEN_BUT_VALID = ("broken/rboot-no-rom.bin",)

# Which bytes of these files some check covers; the first four of MicroPython's are left out on purpose.
COVERED = {
    "arduino/core-2.7.bin": 0,
    "arduino/core-3.1.bin": 0,
    "micropython/micropython.bin": 4,
    "rtos3/app.bin": 0,
    "rtos3/partitions.bin": 0,
}
WITHOUT_IMAGE = ("rboot/config", "rtos3/partitions", "rtos3/otadata")


@cache
def files() -> dict[str, bytes]:
    return firmwares.build()


def errors(reading: Reading) -> list[str]:
    return [finding.code for finding in reading.findings if finding.severity is Severity.ERROR]


def assert_whole_map(reading: Reading, data: bytes) -> None:
    position = 0
    for part in reading.parts:
        assert part.offset == position
        assert part.size > 0
        position = part.end
    assert position == len(data)


def test_every_good_fixture_is_listed() -> None:
    assert set(KINDS) == set(files()) - set(BROKEN)


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=list(KINDS))
def test_good_files(name: str, kind: FileKind) -> None:
    data = files()[name]
    reading = identify(data)
    assert reading.kind is kind
    assert errors(reading) == []
    assert all(part.checksum is None or part.checksum.ok for part in reading.parts)
    assert_whole_map(reading, data)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name: str) -> None:
    data = files()[name]
    reading = identify(data)
    assert bool(errors(reading)) is (name not in BROKEN_BUT_VALID)
    assert reading.kind is not FileKind.UNKNOWN
    assert_whole_map(reading, data)


@pytest.mark.parametrize("name", COVERED)
@given(choice=st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_byte_is_noticed(name: str, choice: st.DataObject) -> None:
    data = files()[name]
    offset = choice.draw(st.integers(COVERED[name], len(data) - 1))
    bits = choice.draw(st.integers(1, 255))
    reading = identify(firmwares.flipped(data, offset, bits))
    assert errors(reading)
    assert_whole_map(reading, data)


# The bytes that decide what a file is taken for, one by one.
@pytest.mark.parametrize("name", COVERED)
def test_a_flipped_byte_in_headers_and_words_is_noticed(name: str) -> None:
    data = files()[name]
    places = {
        *range(0x30),
        *range(0xFE8, 0x1040),
        *range(0x8FE0, 0x9020),
        *range(len(data) - 0x40, len(data)),
    }
    for offset in sorted(places):
        if COVERED[name] <= offset < len(data):
            for bits in (0x01, 0xF0):
                reading = identify(firmwares.flipped(data, offset, bits))
                assert errors(reading), hex(offset)
                assert_whole_map(reading, data)


# In files that no digest covers, the checksum over the segments still does its part.
@pytest.mark.parametrize("name", [n for n in KINDS if n not in COVERED and not n.startswith(WITHOUT_IMAGE)])
@given(choice=st.data())
@settings(max_examples=15, deadline=None)
def test_segment_bytes_are_covered(name: str, choice: st.DataObject) -> None:
    data = files()[name]
    whole = identify(data)
    places = [s for part in whole.parts for s in part.segments]
    segment = choice.draw(st.sampled_from(places))
    offset = segment.offset + choice.draw(st.integers(0, segment.size - 1))
    reading = identify(firmwares.flipped(data, offset, choice.draw(st.integers(1, 255))))
    assert errors(reading)
    assert_whole_map(reading, data)


@pytest.mark.parametrize("name", KINDS)
@given(choice=st.data())
@settings(max_examples=15, deadline=None)
def test_a_cut_is_noticed_or_said(name: str, choice: st.DataObject) -> None:
    data = files()[name]
    end = choice.draw(st.integers(1, len(data) - 1))
    reading = identify(data[:end])
    assert_whole_map(reading, data[:end])
    said = {finding.code for finding in reading.findings}
    # A cut in what nothing covers cannot be seen; then the file's reading says just that.
    uncovered = {
        "irom-uncovered",
        "no-crc",
        "no-rom",
        "no-sha256",
        "padding",
        "trailing",
        "rboot-config-by-elimination",
        "irom-by-elimination",
    }
    if reading.kind is FileKind.RBOOT_CONFIG or reading.parts[-1].kind == "gap":
        return  # bytes behind the structure belong to nobody
    if end == whole_loader(data):
        return  # exactly the boot loader alone, which is a file of its own
    assert errors(reading) or said & uncovered


def whole_loader(data: bytes) -> int:
    """Where the first part of a whole file ends."""
    return identify(data).parts[0].end


def test_never_raises_on_random_bytes() -> None:
    dice = random.Random(8266)
    starts = (b"", b"\xe9", b"\xe9\x03\x00\x00", b"\xaa\x50", b"\xe1\x01", b"\xea\x04")
    for size in (0, 1, 2, 7, 8, 16, 17, 24, 128, 0xC00, 0xFF8, 0x1000, 0x1001, 0x1018, 0x9000, 0x10001):
        for start in starts:
            data = start + dice.randbytes(size)
            for read in READERS:
                reading = read(data)
                if reading is not None:
                    assert_whole_map(reading, data)
            assert_whole_map(identify(data), data)


@pytest.mark.parametrize("name", KINDS)
@given(choice=st.data())
@settings(max_examples=12, deadline=None)
def test_never_raises_on_edited_bytes(name: str, choice: st.DataObject) -> None:
    data = bytearray(files()[name][: choice.draw(st.sampled_from((0x20, 0x1020, 0x9100, 0x12000, 1 << 20)))])
    places = st.sampled_from((0, 0x10, 0x300, 0xFF0, 0x1000, 0x1008, 0x1010, 0x2000, 0x8FF8, 0x10000))
    for _ in range(choice.draw(st.integers(1, 6))):
        offset = choice.draw(places) + choice.draw(st.integers(0, 24))
        if offset < len(data):
            data[offset] = choice.draw(st.sampled_from((0, 1, 0x10, 0x40, 0x7F, 0xAA, 0xE9, 0xFF)))
    edited = bytes(data)
    for read in READERS:
        reading = read(edited)
        if reading is not None:
            assert_whole_map(reading, edited)


def test_only_its_own_reader_claims_an_image_with_a_flash_of_fill_behind_it() -> None:
    huge = files()["ram/hello.bin"].ljust(1 << 24, b"\xff")
    assert [read.__module__ for read in READERS if read(huge) is not None] == ["imgtool.formats.images.ram"]


REAL = {
    "arduino": ("wled/WLED_0.14.3_ESP8266_160.bin", "esphome/webtools-esp8266-2021.bin"),
    "micropython": ("micropython/firmware-combined-2017.bin",),
    "rtos-app": ("rtos/rtos3-hello-world.bin",),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in REAL.items() for name in names])
def test_a_flipped_byte_of_a_real_image_is_noticed(corpus: Path, kind: str, name: str) -> None:
    data = (corpus / name).read_bytes()
    assert identify(data).kind == kind
    dice = random.Random(name)
    places = [dice.randrange(4, len(data)) for _ in range(16)]
    places += [*range(0xFF8, 0x1018, 3), *range(len(data) - 24, len(data), 5)]
    for offset in places:
        assert errors(identify(firmwares.flipped(data, offset, dice.randrange(1, 256)))), hex(offset)
    for _ in range(6):
        assert errors(identify(data[: dice.randrange(4, len(data) - 33)]))
