"""Every format there and back: what is built is parsed again, and what is parsed is built again.

A format without a value to build is in :data:`WITHOUT_A_VALUE`, with the reason.
"""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.errors import FormatError
from imgtool.formats.containers import intel_hex, srecord, uf2
from imgtool.formats.containers.blocks import merged
from imgtool.formats.containers.gzip_file import MAX_CONTENT, GzipMember
from imgtool.formats.containers.lfs import LfsImage
from imgtool.formats.containers.tuya import TuyaImage, TuyaOta
from imgtool.formats.elf.file import Executable
from imgtool.formats.filesystems.espfs import EspFs, EspFsFile
from imgtool.formats.images.aggregated import AggregatedImage
from imgtool.formats.images.arduino import ArduinoImage
from imgtool.formats.images.at_user import UserImage
from imgtool.formats.images.micropython import MicropythonImage
from imgtool.formats.images.rtos_app import AppDescription, RtosApp
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.regions.init_data import SETS, InitData
from imgtool.formats.regions.rboot_config import RbootConfig
from imgtool.formats.regions.rtos_otadata import OtaData
from imgtool.formats.regions.rtos_partitions import Partition, RtosPartitionTable
from imgtool.formats.registry import FORMATS, identify
from tests import strategies
from tests.strategies import BOOT_IMAGES, images_with
from tests.support import IMAGES, said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Law(NamedTuple):
    """What holds for a format.

    Attributes:
        kind: What its files are.
        parse: Bytes to a value.
        build: A value to bytes.
        values: All sorts of values, also such as make no sense to the chip.
        sensible: Values whose files are recognised, with all checks right.
        exact: Whether a value holds every byte of its file; False where the same contents can be packed in
            several ways.
    """

    kind: FileKind
    parse: Callable[[bytes], Any]
    build: Callable[[Any], bytes]
    values: st.SearchStrategy[Any]
    sensible: st.SearchStrategy[Any]
    exact: bool = True


BUILT: Callable[[Any], bytes] = methodcaller("build")


def image_law(kind: FileKind, address: int, text: bytes) -> Law:
    """That of a version-1 image which is told by its contents alone."""
    return Law(kind, BootImage.parse, BUILT, BOOT_IMAGES, images_with(address, text))


def record_law(kind: FileKind, module: Any) -> Law:  # noqa: ANN401 - one of three modules
    blocks = strategies.block_lists().map(merged)
    return Law(kind, module.parse, module.build, blocks, blocks.filter(bool), exact=False)


def sector_of(config: RbootConfig) -> bytes:
    return config.build().ljust(0x1000, b"\xff")


# Only irom that points at its own functions tells a user image from an aggregated one.
SENSIBLE_USER_IMAGES = st.builds(
    UserImage,
    strategies.CHECKED_IMAGES,
    st.sampled_from(["at-2014/user1.bin", "at-2014/user2.bin"]).map(lambda name: IMAGES[name][0x10000:]),
    st.booleans(),
)

LAWS = {
    "images.aggregated": Law(
        FileKind.AGGREGATED,
        AggregatedImage.parse,
        BUILT,
        strategies.AGGREGATED_IMAGES,
        strategies.AGGREGATED_IMAGES.filter(lambda image: image.code[0] != 0xE9),
    ),
    "images.arduino": Law(
        FileKind.ARDUINO,
        ArduinoImage.parse,
        BUILT,
        strategies.ANY_ARDUINO_IMAGES,
        strategies.ARDUINO_IMAGES,
    ),
    "images.at_user": Law(
        FileKind.AT_USER, UserImage.parse, BUILT, strategies.USER_IMAGES, SENSIBLE_USER_IMAGES
    ),
    "images.version1": Law(FileKind.IMAGE_V1, BootImage.parse, BUILT, BOOT_IMAGES, strategies.CHECKED_IMAGES),
    "elf.file": Law(
        FileKind.ELF,
        Executable.parse,
        BUILT,
        strategies.EXECUTABLES,
        strategies.EXECUTABLES,
        exact=False,
    ),
    "filesystems.espfs": Law(
        FileKind.ESPFS, EspFs.parse, BUILT, strategies.ESPFS_ARCHIVES, strategies.ESPFS_ARCHIVES
    ),
    "containers.gzip_file": Law(
        FileKind.GZIP,
        GzipMember.parse,
        BUILT,
        strategies.GZIP_MEMBERS,
        strategies.GZIP_MEMBERS,
        exact=False,
    ),
    "regions.init_data": Law(
        FileKind.INIT_DATA,
        InitData.parse,
        BUILT,
        strategies.INIT_DATA,
        st.sampled_from(list(SETS)).map(InitData.of_set),
    ),
    "containers.intel_hex": record_law(FileKind.INTEL_HEX, intel_hex),
    "containers.lfs": Law(
        FileKind.LFS,
        LfsImage.parse,
        BUILT,
        strategies.lfs_images(),
        strategies.lfs_images(),
        exact=False,
    ),
    "images.micropython": Law(
        FileKind.MICROPYTHON,
        MicropythonImage.parse,
        BUILT,
        strategies.ANY_MICROPYTHON_IMAGES,
        strategies.MICROPYTHON_IMAGES,
    ),
    "images.version2": Law(
        FileKind.IMAGE_V2, OtaImage.parse, BUILT, strategies.OTA_IMAGES, strategies.OTA_IMAGES
    ),
    "images.ram": image_law(FileKind.RAM_IMAGE, 0x40108000, b"code"),
    "images.rboot": image_law(FileKind.RBOOT, 0x40100000, b"rBoot v1.4.2"),
    "regions.rboot_config": Law(
        FileKind.RBOOT_CONFIG,
        RbootConfig.parse,
        sector_of,
        strategies.RBOOT_CONFIGS,
        st.integers(0, 1).map(
            lambda rom: RbootConfig(
                mode=0, current_rom=rom, gpio_rom=0, count=2, roms=(0x2000, 0x82000, 0, 0)
            )
        ),
    ),
    "images.rtos_app": Law(
        FileKind.RTOS_APP, RtosApp.parse, BUILT, strategies.ANY_RTOS_APPS, strategies.RTOS_APPS
    ),
    "images.rtos_bootloader": image_law(
        FileKind.RTOS_BOOTLOADER, 0x40100000, b"2nd stage bootloader\0load partition table error!\0"
    ),
    "regions.rtos_otadata": Law(
        FileKind.OTADATA, OtaData.parse, BUILT, strategies.OTADATA, strategies.SENSIBLE_OTADATA
    ),
    "regions.rtos_partitions": Law(
        FileKind.PARTITION_TABLE,
        RtosPartitionTable.parse,
        BUILT,
        strategies.PARTITION_TABLES,
        strategies.SENSIBLE_TABLES,
    ),
    "images.sdk_bootloader": image_law(FileKind.SDK_BOOTLOADER, 0x40100000, b"2nd boot version : 1.6"),
    "containers.srecord": record_law(FileKind.S_RECORD, srecord),
    "containers.tuya": Law(
        FileKind.TUYA_OTA, TuyaOta.parse, BUILT, strategies.TUYA_FILES, strategies.SENSIBLE_TUYA_FILES
    ),
    "containers.uf2": record_law(FileKind.UF2, uf2),
}

WITHOUT_A_VALUE = {
    "containers.archive": "opened to take firmware out of it; imgtool makes none",
    "regions.blank": "one byte value throughout has no structure",
    "images.irom": "code without any header: its bytes are all there is",
    "filesystems.littlefs": "only the superblock is read; to build one that mounts is to write a file system",
    "images.other_chip": "recognised to say which chip it is for; imgtool makes nothing for other chips",
    "filesystems.spiffs": "only the magics are read; to build one that mounts is to write a file system",
    "filesystems.spiffs_plain": "as SPIFFS, of which it is the form without magics",
    "containers.text_file": "recognised to say what was saved in place of an image",
}

# Dumps are the survey's, and damaged files need not be built again.
WHOLE = [name for name in IMAGES if not name.startswith(("broken/", "dumps/", "generations/"))]
# What stands behind the value is not in it: bytes of no format, further images, erased flash.
LONGER = {
    "arduino/core-2.7-trailing.bin",
    "boot/boot-1.6-user1.bin",
    "gzip/sample-with-tail.bin.gz",
    "init-data/sector.bin",
    "rboot/whole-blank-config.bin",
    "rboot/whole.bin",
}
REFUSED = {
    "lfs/lfs-2018.img": "an LFS image of 2018",  # no image that can be relocated
    "elf/riscv.elf": "no 32-bit little-endian Xtensa executable",
    "gzip/bomb.gz": "no ESP8266 flash is that large",
    "hex/overlap.hex": "is written twice",
    "rboot/config-2048-zeros.bin": "rBoot configuration",
    "rboot/config-zeros.bin": "rBoot configuration",  # a sector that rBoot has not written yet
    "tuya/other-table.bin": "no table of images",
    "uf2/esp32.uf2": "for another chip",
}
BY_KIND = {law.kind: law for law in LAWS.values()}

each_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def test_every_format_has_a_law_or_a_reason_why_not() -> None:
    modules = {form.module for form in FORMATS}

    assert modules == LAWS.keys() | WITHOUT_A_VALUE.keys()
    assert not LAWS.keys() & WITHOUT_A_VALUE.keys()


@each_law
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_is_built_is_parsed_again(law: Law, data: st.DataObject) -> None:
    value = data.draw(law.values)

    assert law.parse(law.build(value)) == value


@each_law
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_what_is_built_is_recognised(law: Law, data: st.DataObject) -> None:
    reading = identify(law.build(data.draw(law.sensible)))

    assert (reading.kind, said(reading.findings, "error")) == (law.kind, [])
    assert all(part.checksum.ok for part in reading.parts if part.checksum is not None)


def check_built_again(law: Law, data: bytes, *, longer: bool = False) -> None:
    value = law.parse(data)
    built = law.build(value)

    if law.exact:
        assert (data.startswith(built), len(built) < len(data)) == (True, longer)
    else:
        assert law.parse(built) == value


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in REFUSED])
def test_a_file_is_built_again_from_its_value(name: str) -> None:
    law = BY_KIND.get(identify(IMAGES[name]).kind)

    if law is not None:
        check_built_again(law, IMAGES[name], longer=name in LONGER)


@pytest.mark.parametrize(("name", "message"), REFUSED.items(), ids=REFUSED)
def test_a_file_whose_contents_no_value_can_hold_is_refused(name: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        BY_KIND[identify(IMAGES[name]).kind].parse(IMAGES[name])


def test_every_law_has_files() -> None:
    assert {identify(IMAGES[name]).kind for name in WHOLE} >= BY_KIND.keys()


def test_real_files_are_built_again(corpus: Path) -> None:
    count = 0
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        data = path.read_bytes()
        reading = identify(data)
        law = BY_KIND.get(reading.kind)
        if law is None or said(reading.findings, "error"):
            continue
        check_built_again(law, data)
        count += 1

    assert count >= 28


@pytest.mark.parametrize("packed", [False, True])
def test_lfs_images_raw_and_gzipped(packed: bool) -> None:
    image = LfsImage.parse(IMAGES["lfs/lfs-5.1.img"])
    built = image.build(packed=packed)

    assert (built[:2] == b"\x1f\x8b", built == IMAGES["lfs/lfs-5.1.raw"]) == (packed, not packed)
    assert LfsImage.parse(built) == image
    assert identify(built).kind is FileKind.LFS


@settings(max_examples=25, deadline=None)
@given(strategies.DESCRIPTIONS)
def test_application_descriptions(description: AppDescription) -> None:
    assert AppDescription.parse(description.build(), 0) == description


@pytest.mark.parametrize("name", ["rtos3/app.bin", "rtos3/app-no-hash.bin"])
def test_the_description_in_a_file_is_built_again(name: str) -> None:
    check_description(IMAGES[name])


def test_the_description_in_a_real_file_is_built_again(corpus: Path) -> None:
    check_description((corpus / "rtos/rtos3-hello-world.bin").read_bytes())


def check_description(data: bytes) -> None:
    offset = data.index(b"\x32\x54\xcd\xab")
    built = AppDescription.parse(data, offset).build()

    assert data[offset : offset + 256] == built


@pytest.mark.parametrize("offset", [None, 0xFF8, 0x1010])
def test_words_that_are_not_stored_are_the_right_ones(offset: int | None) -> None:
    eboot = BootImage(2, 0x40, 0x4010F000, (Segment(0x4010F000, b"eboot"),))
    app = BootImage(
        2, 0x40, 0x40100004, (Segment(0x40201010, bytes(8) + b"irom0"), Segment(0x40100000, b"iram text"))
    )
    data = ArduinoImage(eboot, app, offset).build()
    reading = identify(data)

    places = [part.offset for part in reading.parts if part.kind is PartKind.LENGTH_CRC_WORDS]
    assert places == ([] if offset is None else [offset])
    assert said(reading.findings, "error", "warning") == []
    parsed = ArduinoImage.parse(data)
    assert (parsed.words_offset, parsed.words) == (offset, ArduinoImage(eboot, app, offset).words)


def image_of(size: int) -> BootImage:
    """An image that is as many bytes long."""
    return BootImage(0, 0, 0x40100004, (Segment(0x40100000, b"\x55" * (size - 17)),))


SMALL = image_of(0x100)
OTA = OtaImage(0, 1, 0x40100004, bytes(16), SMALL)


@pytest.mark.parametrize(
    ("value", "message", "expected", "found"),
    [
        (AggregatedImage(image_of(0x10010), b"irom"), "into irom", "at most 65,536", "65,552"),
        (AggregatedImage(SMALL, b"irom", 0x20000), "does not begin there", "0x10000 or 0x40000", "0x20000"),
        (UserImage(image_of(0x10010), b"irom"), "into irom", "at most 65,536", "65,552"),
        (MicropythonImage(image_of(0x9000), b""), "into the length word", "at most 36,860", "36,864"),
        (MicropythonImage(SMALL, b"", stored_md5=b"short"), "MD5: .*wrong length", None, None),
        (ArduinoImage(image_of(0x1010), SMALL), "into the application", "at most 4,096", "4,112"),
        (ArduinoImage(image_of(0x1000), SMALL, 0xFF8), "into the words", "at most 4,088", "4,096"),
        (ArduinoImage(SMALL, SMALL, 0x1010), "no place for the words", "00 00", "55 55"),
        (ArduinoImage(SMALL, BootImage(0, 0, 0, ()), 0x1010), "no place for the words", "00 00", None),
        (ArduinoImage(SMALL, SMALL, 0x1000), "no words stand there", "0x0ff8 or 0x1010", "0x1000"),
        (ArduinoImage(SMALL, SMALL, None, 0x2000), "no place for them", None, None),
        (ArduinoImage(SMALL, SMALL, 0xFF8, 1 << 32), "length and CRC words", None, None),
        (RtosApp(SMALL, stored_sha256=b"short"), "SHA-256: .*wrong length", None, None),
        (AppDescription("x" * 33, "", "", "", ""), "does not fit its field", "at most 32", "'xxx"),
        (AppDescription("", "", " Jul  1", "", ""), "does not fit its field", "no blanks", "' Jul '"),
        (AppDescription("", "", "", "", "ab"), "no digest", "64 lower-case", "'ab'"),
        (AppDescription("", "", "", "", "00" * 32), "no digest", "64 lower-case", "'0000"),
        (RtosPartitionTable((Partition(1, 2, 0, 0, "x" * 17),)), "no name", "at most 16", "'xxx"),
        (RtosPartitionTable((Partition(1, 2, 0, 0, "a\0b"),)), "no name", "readable", "'a"),
        (RtosPartitionTable((Partition(1, 2, 1 << 32, 0, "x"),)), "row: ", None, None),
        (RtosPartitionTable((Partition(1, 2, 0, 0, "x"),) * 96, bytes(16)), "do not fit", "3,072", "3,104"),
        (LfsImage(IMAGES["lfs/lfs-5.1.raw"][:4812], b""), "cut short", "4,964", "4,812"),
        (LfsImage(IMAGES["lfs/lfs-5.1.raw"][:4812], bytes(160)), "another size", "4,812", "160"),
        (GzipMember("x\0y", b""), "cannot store the name", "Latin-1", "'x"),
        (GzipMember("漢", b""), "cannot store the name", "Latin-1", "'漢'"),
        (GzipMember("", bytes(MAX_CONTENT + 1)), "larger than any flash", "16,842,752", "16,842,753"),
        (TuyaOta("1.0", (), 0), "no number of images", "1 to 8", "0"),
        (
            TuyaOta("1.0.0.10-alpha1", (TuyaImage(OTA, 0),), 0),
            "no version",
            "at most 14",
            "'1.0.0.10-alpha1'",
        ),
        (TuyaOta("1.0", (TuyaImage(OTA, 1 << 32),), 0), "Tuya image entry", None, None),
        (EspFs((EspFsFile("a\0b", b"", 0),)), "no name of a file", "without zeros", "'a"),
        (EspFs((EspFsFile("a", b"", 0, "zip"),)), "no such packing", "heatshrink", "zip"),
        (EspFs((EspFsFile("a", b"", -1),)), "header of a file", None, None),
        (EspFs((EspFsFile("a", b"", 0),) * 4096), "too many files", "fewer than 4,096", "4,096"),
        (BootImage(256, 0, 0, ()), "image header", None, None),
        (BootImage(0, 0, 0, (Segment(-1, b""),)), "segment header", None, None),
        (BootImage(0, 0, 0, (), 256), "checksum", None, None),
        (OtaImage(0, 1, 1 << 32, b"", SMALL), "version-2 image header", None, None),
        (OtaImage(0, 1, 0, b"", SMALL, 1 << 32), "CRC tail", None, None),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_what_does_not_fit_is_not_built(
    value: Any,  # noqa: ANN401 - a value of any format
    message: str,
    expected: str | None,
    found: str | None,
) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        value.build()

    for part, stated in ((expected, caught.value.expected), (found, caught.value.found)):
        assert part is None or part in str(stated)


GAPS = {
    "aggregated/sample-with-sdk-sectors.bin": 0x9000,
    "arduino/core-2.7.bin": 0x800,
    "arduino/core-3.1.bin": 0xFFF,
    "at-2014/user1.bin": 0x9FFF,
    "micropython/micropython.bin": 0x8FFB,
}


@pytest.mark.parametrize(("name", "offset"), GAPS.items(), ids=GAPS)
def test_a_gap_with_something_in_it_is_not_parsed(name: str, offset: int) -> None:
    law = BY_KIND[identify(IMAGES[name]).kind]

    with pytest.raises(FormatError) as caught:
        law.parse(IMAGES[name][:offset] + b"\x01" + IMAGES[name][offset + 1 :])
    assert caught.value.offset is not None


CUT = {
    "aggregated/sample-with-sdk-sectors.bin": 0x10000,
    "arduino/core-2.7.bin": 0x2000,
    "at-2014/user1.bin": 0xA000,
    "espfs/web.espfs": 0x30,
    "gzip/sample.bin.gz": 0x1000,
    "lfs/lfs-5.1.raw": 0x1000,
    "micropython/micropython.bin": 0x10000,
    "rtos3/app.bin": 43080,
    "rtos3/partitions.bin": 0x90,
    "tuya/ota.bin": 0x10000,
}


@pytest.mark.parametrize(("name", "length"), CUT.items(), ids=CUT)
def test_a_cut_file_is_not_parsed(name: str, length: int) -> None:
    law = BY_KIND[identify(IMAGES[name]).kind]

    with pytest.raises(FormatError):
        law.parse(IMAGES[name][:length])
