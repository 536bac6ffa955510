"""Real NodeMCU on the virtual board as judge of layouts: what ``fullimage`` makes boots and keeps files.

And the other way round: what is laid out wrong on purpose fails as imgtool says.  Upgrades are
test_firmware_upgrades.py.  Needs a dump of the boot ROM and the real images; ``nox -s firmware``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import pytest

from imgtool.chip import flash_size
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.fullimage import FullImageRequest, fullimage
from imgtool.engine.jobs.patch import PatchRequest, patch
from imgtool.errors import FormatError, LayoutError
from imgtool.formats.containers.lfs import LfsImage
from imgtool.formats.filesystems.spiffs import signature_at
from imgtool.formats.firmware import identify_firmware
from imgtool.formats.logs.boots import ResetCause
from imgtool.layout.nodemcu import resolve
from imgtool.operations.assemble.extras import table_of
from imgtool.operations.assemble.fullimage import FullImage
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import file_systems
from imgtool.operations.patch.table import TableChange
from imgtool.virtual.chip.boot import BootOutcome, boot
from tests.oracle.firmware_console import BANNER, Console, needs_rom
from tests.support import IMAGES, IROM, codes, over, real

pytestmark = [pytest.mark.long, needs_rom]

ERASED: Final = b"\xff"
SECTOR: Final = 0x1000
FORMATS_IN: Final = 250  # seconds of the chip, for 16 MB
MODULES: Final = "local u,a,f,l,m=node.flashindex() for _,n in ipairs(m) do print('module',n) end"

FIRMWARE: Final = {
    "0.9.2 for 2 MB": ("fw092-2M-eagle.app.v6.flash.bin", "fw092-2M-eagle.app.v6.irom0text.bin"),
    "0.9.5 of January": ("fw-20150112-0x00000.bin", "fw-20150112-0x10000.bin"),
    "0.9.5 of February": ("flasher-0x00000.bin", "flasher-0x10000.bin"),
    "0.9.5": ("nodemcu_integer_0.9.5_20150318.bin",),
    "2.1": ("yuan-nodemcu_integer.bin",),
    "3.0": ("heikomat-firmware-lfs.bin",),
}
SIZES: Final = ("512KB", "1MB", "2MB", "2MB-c1", "4MB", "4MB-c1", "8MB", "16MB")
ALLOWED: Final = {
    "0.9.2 for 2 MB": ("2MB", "4MB"),
    "0.9.5 of January": ("512KB", "1MB", "4MB"),
    "0.9.5 of February": ("512KB", "1MB", "2MB", "4MB"),
    "0.9.5": ("512KB", "1MB", "2MB", "4MB"),
    "2.1": SIZES,
    "3.0": SIZES[1:],
}
CASES: Final = [(name, size) for name, sizes in ALLOWED.items() for size in sizes]


def inputs(name: str) -> tuple[InputFile, ...]:
    files = FIRMWARE[name]
    return tuple(
        InputFile(file, real(f"nodemcu/{file}"), place) for file, place in zip(files, (0, IROM), strict=False)
    )


@cache
def made(name: str, size: str, *, init_data: str | None = None) -> FullImage:
    """What ``imgtool fullimage`` makes."""
    return fullimage(FullImageRequest(files=inputs(name), size=size, init_data=init_data)).image


def at_of_sdk_2(size: str, init_data: str = "auto") -> bytes:
    files = (
        InputFile("at.bin", real("at/at-sdk2.0-noboot-eagle.flash.bin"), 0),
        InputFile("irom.bin", real("at/at-sdk2.0-noboot-eagle.irom0text.bin"), IROM),
    )
    return fullimage(FullImageRequest(files=files, size=size, init_data=init_data)).image.data


def listed(flash: bytes) -> dict[str, int]:
    """The files in a flash, as imgtool reads it."""
    return {file.path: file.size for system in file_systems(flash) for file in system.files}


def comes_to_prompt(console: Console) -> bool:
    return console.to_prompt(FORMATS_IN).endswith(b"\n> ")


def loops_with(console: Console, line: bytes) -> bool:
    """Whether it starts again and again, and says the same each time."""
    rounds = console.run(10, boots=4).split(BANNER)[1:-1]
    return len(rounds) == 3 and all(line in each for each in rounds)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_a_full_image_boots_and_keeps_its_files(name: str, size: str) -> None:
    console = Console(made(name, size).data)

    assert comes_to_prompt(console)
    assert console.boots == (2 if name == "3.0" else 1)  # 3.0 resolves its table and restarts
    assert b"ERROR" not in console.said
    assert console.type("print(1+1)") == "2"
    console.write("kept.lua", 40)
    assert console.type("print(file.list()['kept.lua'])") == "311"
    assert console.reset().endswith(b"\n> ")
    assert console.files() == listed(console.flash) == {"kept.lua": 311}


@pytest.mark.parametrize("size", ["1MB", "4MB"])
def test_the_first_boot_makes_of_the_partition_table_what_fullimage_reckoned_with(size: str) -> None:
    image = made("3.0", size)
    table = table_of(image.description)
    console = Console(image.data)

    assert table is not None
    assert comes_to_prompt(console)
    resolved = table_of(describe(console.flash))
    assert resolved == resolve(table, image.flash.bytes, 0) != table


@pytest.mark.parametrize(("name", "sizes"), ALLOWED.items(), ids=ALLOWED)
def test_other_sizes_are_refused(name: str, sizes: tuple[str, ...]) -> None:
    skipped = {"0.9.2 for 2 MB": ("512KB", "1MB"), "0.9.5 of January": ("2MB",)}.get(name, ())
    for size in set(SIZES) - set(sizes) - set(skipped):
        with pytest.raises(LayoutError):
            made(name, size)


# The ways in which releases of ten weeks read the size.


@pytest.mark.parametrize("size", ["512KB", "1MB"])
def test_a_size_that_is_compiled_in(size: str) -> None:
    image = made("0.9.2 for 2 MB", size)
    console = Console(image.data)

    assert codes(image.findings) == ["size-compiled-in"]
    assert console.run(3).count(b"ERROR in flash_read") > 50


def test_what_is_compiled_in_is_less_than_the_flash_has() -> None:
    image = made("0.9.2 for 2 MB", "4MB")
    console = Console(image.data)

    assert "size-compiled-in" in codes(image.findings)
    assert comes_to_prompt(console)
    # So many pages that one index page has not room for their numbers.
    console.type('file.open("large","w") for i=1,120 do file.write(string.rep("x",250)) end file.close()')
    assert console.files() == listed(console.flash) == {"large": 30_000}
    (system,) = file_systems(console.flash)
    assert [(file.data == b"x" * 30_000, file.whole) for file in system.files] == [(True, True)]


def test_a_build_that_may_take_4mb_for_16mb() -> None:
    # This one was mended, and has the date of those that were not.
    assert "size-taken-for-16mb" in codes(made("0.9.5 of February", "4MB").findings)
    assert "size-taken-for-16mb" not in codes(made("0.9.5 of February", "2MB").findings)


@pytest.mark.parametrize(
    ("name", "chip", "code", "kilobytes"),
    [("0.9.5 of January", "4MB", 2, 1024), ("0.9.5", "4MB", 4, 4096), ("0.9.5", "8MB", 5, 8192)],
)
def test_who_puts_the_size_of_the_chip_into_the_header(
    name: str, chip: str, code: int, kilobytes: int
) -> None:
    console = Console(made(name, "1MB").data, flash_size(chip).bytes)

    assert comes_to_prompt(console)
    assert console.flash[3] >> 4 == code
    assert console.type("local a,b,c,d,e,size=node.info() print(size)") == str(kilobytes)


# LFS.


def with_lfs_partition() -> InputFile:
    table = TableChange(lfs_size=0x2_0000, spiffs_address=0x10_0000)
    request = PatchRequest(file=inputs("3.0")[0], output="patched.bin", size="4MB", table=table)
    return InputFile("patched.bin", patch(request).outputs[0].data)


def lfs_image() -> InputFile:
    return InputFile("lfs.img", real("nodemcu/heikomat-lfs.img"))


def modules(image: bytes) -> set[str]:
    """The chunks that an LFS image was made of, by the names of their sources in it."""
    names = re.findall(rb"\0@/opt/lua/([\w-]+)\.lua\0", LfsImage.parse(image).image)
    return {name.decode() for name in names}


def test_an_lfs_image_is_found_where_it_was_put() -> None:
    request = FullImageRequest(files=(with_lfs_partition(),), size="4MB", lfs=lfs_image())
    console = Console(fullimage(request).image.data)

    assert comes_to_prompt(console)
    found = set(re.findall(r"module\t(\S+)", console.type(MODULES)))
    assert found == modules(lfs_image().data) != set()
    assert console.type("node.flashindex('tools') print(package.loadlib ~= nil)") == "true"


def test_an_lfs_image_without_a_partition_is_refused() -> None:
    request = FullImageRequest(files=inputs("3.0"), size="4MB", lfs=lfs_image())
    with pytest.raises(LayoutError, match="no LFS partition"):
        fullimage(request)


def test_an_lfs_image_for_another_address_is_refused_and_would_not_work() -> None:
    request = FullImageRequest(files=(with_lfs_partition(),), size="4MB", lfs=lfs_image())
    image = fullimage(request).image
    place = next(piece.address for piece in image.pieces if piece.name == "lfs.img")
    elsewhere = LfsImage.parse(lfs_image().data).at(place + 0x1_0000)
    wrong = FullImageRequest(files=(with_lfs_partition(),), size="4MB", lfs=InputFile("lfs.img", elsewhere))
    with pytest.raises(FormatError, match="address"):
        fullimage(wrong)
    console = Console(over(image.data, [(place, elsewhere)]))
    found = set(re.findall(r"module\t(\S+)", console.type(MODULES))) if comes_to_prompt(console) else set()
    assert found != modules(lfs_image().data)


# Wrong on purpose.


def test_init_data_at_the_place_of_another_size() -> None:
    image = at_of_sdk_2("1MB")
    init = image[0xFC000 : 0xFC000 + SECTOR]
    moved = over(image.ljust(0x40_0000, ERASED), [(0xFC000, ERASED * SECTOR), (0x3FC000, init)])

    assert boot(moved, ResetCause.POWER_ON).outcome is BootOutcome.BOOT_LOOP
    assert loops_with(Console(moved), b"rf_cal[0] !=0x05,is 0xFF\r\n")
    assert boot(image, ResetCause.POWER_ON).outcome is BootOutcome.RUNNING
    assert b"ready" in Console(image).run(5, b"ready")


def test_no_init_data() -> None:
    image = at_of_sdk_2("1MB", "none")

    assert boot(image, ResetCause.POWER_ON).outcome is BootOutcome.BOOT_LOOP
    assert loops_with(Console(image), b"rf_cal[0] !=0x05,is 0xFF\r\n")


def test_nodemcu_2_writes_init_data_where_that_is_erased_and_only_there() -> None:
    image = made("2.1", "1MB", init_data="none").data
    console = Console(image)

    assert comes_to_prompt(console)
    assert console.flash[0xFC000 : 0xFC000 + 128] == made("2.1", "1MB").data[0xFC000 : 0xFC000 + 128]
    spoilt = over(image, [(0xFC000, bytes(128))])
    assert boot(spoilt, ResetCause.POWER_ON).outcome is BootOutcome.BOOT_LOOP
    assert loops_with(Console(spoilt), b"rf_cal[0] !=0x05,is 0x00\r\n")


@pytest.mark.parametrize(("name", "writes"), [("0.9.2 for 2 MB", False), ("0.9.5", True)])
def test_old_nodemcu_starts_without_init_data(name: str, writes: bool) -> None:
    # 0.9.5 takes what it writes from flash with the cache off: what that gives on silicon is not known.
    console = Console(made(name, "2MB", init_data="none").data)

    assert comes_to_prompt(console)
    assert (console.flash[0x1FC000 : 0x1FC000 + 128] != ERASED * 128) == writes
    assert (b"Restore init data." in console.said) == writes


@pytest.mark.parametrize("there", [ERASED * 128, bytes(128)])
def test_nodemcu_3_writes_init_data_over_whatever_is_there(there: bytes) -> None:
    image = made("3.0", "1MB").data
    console = Console(over(image, [(0xC000, there)]))

    assert comes_to_prompt(console)
    assert b"Writing Init Data to 0x0000c000" in console.said
    assert console.flash[0xC000 : 0xC000 + 128] == image[0xC000 : 0xC000 + 128]


@pytest.mark.parametrize("name", ["0.9.5", "2.1"])
def test_irom_is_missing(name: str) -> None:
    half = inputs(name)[0].data[:IROM]
    with pytest.raises(FormatError, match="irom part"):
        fullimage(FullImageRequest(files=(InputFile("0x00000.bin", half),), size="1MB"))
    console = Console(half.ljust(0x10_0000, ERASED))

    assert console.run(0.5).count(b"Fatal exception (0)") > 1


def test_nodemcu_3_without_its_table() -> None:
    bare = over(inputs("3.0")[0].data, [(IROM, ERASED * SECTOR)])
    with pytest.raises(LayoutError, match="partition table"):
        fullimage(FullImageRequest(files=(InputFile("bare.bin", bare),), size="1MB"))

    assert loops_with(Console(bare.ljust(0x10_0000, ERASED)), b"E:M -1")


def test_nodemcu_3_with_a_header_for_512_kb() -> None:
    with pytest.raises(LayoutError, match="1MB"):
        made("3.0", "512KB")
    image = made("3.0", "1MB").data
    told = over(image, [(3, bytes([image[3] & 0x0F]))])

    assert loops_with(Console(told), b"Flash size (524288) too small to support NodeMCU")


def test_a_chip_that_is_smaller_than_the_header_says() -> None:
    chip = flash_size("1MB").bytes
    destroyed = Console(made("3.0", "4MB").data[:chip])
    corrected = Console(made("2.1", "4MB").data[:chip])

    assert not destroyed.to_prompt(20).endswith(b"\n> ")
    # It formats what it takes for the end of its flash, and that is its own beginning.
    assert destroyed.flash[:SECTOR] != made("3.0", "4MB").data[:SECTOR]
    assert comes_to_prompt(corrected)
    assert (corrected.boots, corrected.flash[3] >> 4) == (2, flash_size("1MB").code)


FILE_SYSTEMS: Final = {
    ("0.9.5", "spiffs/files-0.9.5.bin"): [],
    ("0.9.5", "spiffs/no-magic.bin"): ["filesystem-misread"],
    ("0.9.5", "spiffs/files-0.9.6.bin"): ["filesystem-misread"],
    ("0.9.5", "spiffs/files-linear.bin"): ["filesystem-misread"],
    ("2.1", "spiffs/linear.bin"): ["filesystem-formatted"],
    ("2.1", "spiffs/old-formula.bin"): [],
    ("2.1", "spiffs/no-magic.bin"): ["filesystem-formatted"],
    ("3.0", "spiffs/files-linear.bin"): [],
    ("3.0", "spiffs/old-formula.bin"): ["filesystem-formatted"],
    ("3.0", "spiffs/files-small.bin"): ["filesystem-formatted"],
    ("3.0", "spiffs/no-magic.bin"): ["filesystem-formatted"],
}


@pytest.mark.parametrize(("name", "image", "said"), [(*key, said) for key, said in FILE_SYSTEMS.items()])
def test_a_file_system_that_goes_with_the_firmware(name: str, image: str, said: list[str]) -> None:
    content = IMAGES[image]
    request = FullImageRequest(files=inputs(name), size="1MB", filesystem=InputFile("files.bin", content))
    result = fullimage(request).image
    console = Console(result.data)

    assert codes(result.findings) == said
    assert comes_to_prompt(console)
    assert (console.files() == listed(content)) == (said == [])


def test_a_build_of_2018_with_the_magics_of_2017() -> None:
    console = Console(made("2.1", "1MB").data)
    assert comes_to_prompt(console)
    console.write("one.lua")
    (system,) = file_systems(console.flash)
    assert [file.path for file in system.files] == ["one.lua"]
    signature = signature_at(console.flash, system.offset)
    assert signature is not None
    assert signature.formula == "old"
    firmware = identify_firmware(real("nodemcu/yuan-nodemcu_integer.bin"))
    assert firmware is not None
    assert firmware.spiffs_formula == "old"
