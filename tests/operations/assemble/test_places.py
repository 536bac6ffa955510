"""Each cell of the table of kinds and places: the same verdict by flash and by merge."""

from __future__ import annotations

import json
from typing import Final

import pytest

from imgtool.errors import ImgtoolError, LayoutError
from imgtool.formats.kinds import KINDS
from imgtool.formats.registry import identify
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.extract.split import split
from imgtool.operations.flashing.plan import PlanRequest, Target, plan_flash
from imgtool.operations.flashing.waivers import CHECKS
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, Command, Put, real

Contents = list[tuple[int, str]]

MEGA: Final = 0x10_0000
BOOT, HALF, IROM = "boot/boot-1.6.bin", "sample/0x00000.bin", "sample/0x10000.bin"
RBOOT, CONFIG, ROM = "rboot/rboot.bin", "rboot/config.bin", "v2/no-tail.bin"
RTOS, TABLE, APP = "rtos3/bootloader.bin", "rtos3/partitions.bin", "rtos3/app.bin"
RAM, USER1, USER2 = "ram/hello.bin", "v2/user1.bin", "v2/user2.bin"
ARDUINO, MICROPYTHON = "arduino/core-2.7.bin", "micropython/micropython.bin"
LITTLEFS, SPIFFS, V05 = "littlefs/empty.bin", "spiffs/linear.bin", "init-data/v05.bin"
PAIR: Final = [(0, HALF), (0x1_0000, IROM)]
NODEMCU_3: Final = [(0, "nodemcu-3.0-2021/0x00000.bin"), (0x1_0000, "nodemcu-3.0-2021/0x10000.bin")]

# What stands at which addresses, and the verdict: "place" refuses, other words are codes of findings.
CELLS: Final[dict[str, tuple[Contents, str]]] = {
    # the half for 0
    "half at 0": ([(0, HALF)], ""),
    "half at the irom place": ([(0x1_0000, HALF)], "place"),
    "half at the irom place before SDK 2": ([(0x4_0000, HALF)], "place"),
    "half in a sector of nobody's": ([(0x2_0000, HALF)], ""),
    "half unaligned": ([(0x2_0010, HALF)], "place"),
    "half twice": ([(0, HALF), (0x1_0000, HALF)], "place"),
    "half behind the boot ROM": ([(0, HALF), (0x8_0000, HALF)], "not-used"),
    "half in user1": ([(0, BOOT), (0x1000, HALF)], "not-used"),
    "half as a ROM of rBoot": ([(0, RBOOT), (0x2000, HALF)], ""),
    "half as a ROM of rBoot at 0x10000": ([(0, RBOOT), (0x1_0000, HALF)], ""),
    "half behind the RTOS loader": ([(0, RTOS), (0x8000, TABLE), (0x1_0000, HALF)], "place"),
    # user images
    "user1": ([(0x1000, USER1)], ""),
    "user1 at 0": ([(0, USER1)], "place"),
    "user1 behind its loader": ([(0, BOOT), (0x1000, USER1)], ""),
    "user2 behind its loader": ([(0, BOOT), (0x1000, USER1), (0x8_1000, USER2)], ""),
    "user2 in user1": ([(0, BOOT), (0x1000, USER2)], "place"),
    "user1 in user2": ([(0x8_1000, USER1)], "place"),
    "user1 in the second MiB": ([(0x10_1000, USER1)], ""),
    "user1 unaligned": ([(0x1010, USER1)], "place"),
    "user2 behind the boot ROM": ([(0, HALF), (0x8_1000, USER2)], "not-used"),
    "user1 behind MicroPython": ([(0, MICROPYTHON), (0x10_1000, USER1)], "not-used"),
    "user1 of 2014": ([(0x1000, "at-2014/user1.bin")], ""),
    "user2 of 2014": ([(0x4_1000, "at-2014/user2.bin")], ""),
    "user2 of 2014 in user1": ([(0x1000, "at-2014/user2.bin")], "place"),
    "user1 of 2014 behind its loader": ([(0, BOOT), (0x1000, "at-2014/user1.bin")], ""),
    "user1 of 2014 behind rBoot": ([(0, RBOOT), (0x10_1000, "at-2014/user1.bin")], "not-used"),
    "ROM behind rBoot": ([(0, RBOOT), (0x1000, CONFIG), (0x2000, ROM)], ""),
    "ROM in a sector that it is not linked for": ([(0, RBOOT), (0x3000, ROM)], "place"),
    "ROM in a far sector": ([(0, RBOOT), (0x1000, CONFIG), (0x20_2000, ROM)], ""),
    # RTOS SDK
    "app": ([(0x1_0000, APP)], ""),
    "app at 0": ([(0, APP)], "place"),
    "app elsewhere than linked": ([(0x2_0000, APP)], "place"),
    "app in the second MiB": ([(0x11_0000, APP)], ""),
    "app in its slot": ([(0, RTOS), (0x8000, TABLE), (0x1_0000, APP)], ""),
    "app in its second slot": ([(0, RTOS), (0x8000, TABLE), (0x11_0000, APP)], ""),
    "app in no slot": ([(0, RTOS), (0x8000, TABLE), (0x21_0000, APP)], "not-used"),
    "app in user1": ([(0, BOOT), (0x1_0000, APP)], "not-used"),
    "app for the half": ([(0, HALF), (0x1_0000, APP)], "place"),
    "app behind eboot": ([(0, ARDUINO), (0x1_0000, APP)], "not-used"),
    "user image for an app": ([(0, RTOS), (0x8000, TABLE), (0x8_1000, USER2)], "not-used"),
    "irom for an app": ([(0, RTOS), (0x8000, TABLE), (0x1_0000, IROM)], "place"),
    # irom
    "irom": ([(0x1_0000, IROM)], ""),
    "irom of the pair": (PAIR, ""),
    "irom at 0": ([(0, IROM)], "place"),
    "irom elsewhere": ([(0x4_0000, IROM)], "place"),
    "irom before SDK 2": ([(0, "nonos-1.3/0x00000.bin"), (0x4_0000, "nonos-1.3/0x40000.bin")], ""),
    "irom behind eboot": ([(0, ARDUINO), (0x1_0000, IROM)], "not-used"),
    "irom behind a user image": ([(0, BOOT), (0x1_0000, IROM)], ""),
    # what starts at 0 alone
    "aggregated elsewhere": ([(0x1000, "aggregated/sample-with-sdk-sectors.bin")], "place"),
    "MicroPython elsewhere": ([(0x1_0000, MICROPYTHON)], "place"),
    "Arduino elsewhere": ([(0x1000, ARDUINO)], "place"),
    "Arduino as an update": ([(0, ARDUINO), (0x10_0000, ARDUINO)], ""),
    "boot loader elsewhere": ([(0x1000, BOOT)], "place"),
    "rBoot elsewhere": ([(0x1000, RBOOT)], "place"),
    "RTOS loader elsewhere": ([(0x1000, RTOS)], "place"),
    "RAM program at 0": ([(0, RAM)], ""),
    "RAM program in the flash": ([(0x2_0000, RAM)], "place"),
    "RAM program as user1": ([(0, BOOT), (0x1000, RAM)], "place"),
    "RAM program as a ROM of rBoot": ([(0, RBOOT), (0x2000, RAM)], ""),
    # tables
    "table": ([(0x8000, TABLE)], ""),
    "table at 0": ([(0, TABLE)], "place"),
    "table elsewhere": ([(0x9000, TABLE)], "unusual-place"),
    "table unaligned": ([(0x8010, TABLE)], "place"),
    "table behind rBoot": ([(0, RBOOT), (0xF_A000, TABLE)], ""),
    "table behind the boot ROM": ([(0, HALF), (0x8_0000, TABLE)], "not-used"),
    "table in user2": ([(0, BOOT), (0x8_1000, TABLE)], "place"),
    "configuration": ([(0x1000, CONFIG)], ""),
    "configuration elsewhere": ([(0x7000, CONFIG)], "unusual-place"),
    "configuration in user1": ([(0, BOOT), (0x1000, CONFIG)], "place"),
    "zeros behind the boot ROM": ([(0, HALF), (0x8_0000, "rboot/config-zeros.bin")], ""),
    # data with a region
    "init data at its place": ([*PAIR, (0xF_C000, V05)], ""),
    "init data alone at a known place": ([(0x3F_C000, V05)], ""),
    "init data alone elsewhere": ([(0x2_0000, V05)], "unusual-place"),
    "init data unaligned": ([(0xF_C010, V05)], "place"),
    "init data elsewhere": ([*PAIR, (0x7_C000, V05)], "place"),
    "init data of NodeMCU 3": ([*NODEMCU_3, (0xF_C000, V05)], "place"),
    "init data behind eboot": ([(0, ARDUINO), (0xF_C000, V05)], "not-used"),
    "file system in its partition": ([*NODEMCU_3, (0x3_E000, SPIFFS)], ""),
    "LittleFS in the partition": ([*NODEMCU_3, (0x3_E000, LITTLEFS)], "filesystem-formatted"),
    "file system beside its partition": ([*NODEMCU_3, (0x4_0000, SPIFFS)], "place"),
    "LittleFS beside the partition": ([*NODEMCU_3, (0x4_0000, LITTLEFS)], "place"),
    "file system at a place of NodeMCU 2": ([*PAIR, (0x3_0000, SPIFFS)], ""),
    "file system where NodeMCU 2 does not look": ([*PAIR, (0xE_0000, LITTLEFS)], "not-used"),
    "LittleFS where NodeMCU 2 looks": ([*PAIR, (0x3_0000, LITTLEFS)], "filesystem-formatted"),
    "LittleFS of Arduino": ([(0, ARDUINO), (0xB_B000, LITTLEFS)], ""),
    "file system unaligned": ([(0xB_B010, LITTLEFS)], "place"),
    "file system at 0": ([(0, LITTLEFS)], "place"),
    "file system alone": ([(0x20_0000, SPIFFS)], ""),
    "LFS that is not relocated": ([(0x9_8000, "lfs/lfs-5.1.img")], "place"),
    "LFS that is relocated": ([(0x9_8000, "lfs/lfs-5.1-at-0x98000.bin")], ""),
    "LFS beside its partition": ([*NODEMCU_3, (0x9_8000, "lfs/lfs-5.1-at-0x98000.bin")], "place"),
    "espfs in a sector of the SDK's": ([*PAIR, (0xF_B000, "espfs/web.espfs")], "place"),
    "file system in a sector of the SDK's": ([*PAIR, (0xF_D000, LITTLEFS)], "place"),
    # data without one
    "espfs": ([*PAIR, (0x8_0000, "espfs/web.espfs")], ""),
    "erased flash": ([*PAIR, (0xF_B000, "blank.bin")], ""),
    "text": ([*PAIR, (0x8_0000, "text/notes.bin")], ""),
    "packed firmware": ([*PAIR, (0x8_0000, "gzip/sample.bin.gz")], "not-used"),
    "packed update": ([(0, ARDUINO), (0x8_0000, "gzip/sample.bin.gz")], ""),
}
OF_PLACE: Final = {"place", "misplaced", "not-used", "unusual-place", "filesystem-formatted"}


def pieces(contents: Contents) -> list[Piece]:
    return [Piece(at, IMAGES[name], name) for at, name in contents]


def by_flash(contents: Contents, force: frozenset[str] = frozenset()) -> set[str]:
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=4 * MEGA)
    size = "1MB" if KINDS[identify(IMAGES[contents[0][1]]).kind].sdk_start else "keep"
    request = PlanRequest(
        tuple(pieces(contents)), size_choice=size if contents[0][0] == 0 else "keep", force=force
    )
    try:
        plan = plan_flash(request, target)
    except LayoutError as error:
        return {error.check or "none"}
    return OF_PLACE & {finding.code for finding in plan.findings}


def test_the_second_application_of_a_file_is_not_used() -> None:
    both = IMAGES[APP] + IMAGES[APP]
    merged = merge([Piece(0, IMAGES[RTOS], "loader.bin"), Piece(0x1_0000, both, "both.bin")])

    (finding,) = (finding for finding in merged.findings if finding.code == "not-used")
    assert finding.offset == 0x1_0000 + len(IMAGES[APP])


def by_merge(contents: Contents, *, verbatim: bool = False) -> set[str]:
    sized = contents[0][0] == 0 and KINDS[identify(IMAGES[contents[0][1]]).kind].sdk_start
    header = HeaderChange(size="1MB") if sized and not verbatim else HeaderChange()
    try:
        merged = merge(pieces(contents), header=header, verbatim=verbatim)
    except LayoutError as error:
        return {error.check or "none"}
    return OF_PLACE & {finding.code for finding in merged.findings}


@pytest.mark.parametrize(("contents", "verdict"), CELLS.values(), ids=CELLS)
def test_a_cell_by_flash(contents: Contents, verdict: str) -> None:
    assert by_flash(contents) == ({verdict} if verdict else set())


@pytest.mark.parametrize(("contents", "verdict"), CELLS.values(), ids=CELLS)
def test_a_cell_by_merge(contents: Contents, verdict: str) -> None:
    assert by_merge(contents) == ({verdict} if verdict else set())


# Flash address, what flash says, and what merge says, which does not know the flash for certain.
WITH_MICROPYTHON: Final = {
    "its place": (0xF_C000, "", ""),
    "that of a larger flash": (0x3F_C000, "place", "misplaced"),
    "that of a smaller flash": (0x7_C000, "place", "misplaced"),
}


@pytest.mark.parametrize(("at", "by_flasher", "by_merger"), WITH_MICROPYTHON.values(), ids=WITH_MICROPYTHON)
def test_init_data_beside_micropython(at: int, by_flasher: str, by_merger: str) -> None:
    contents = [(0, MICROPYTHON), (at, V05)]

    assert by_flash(contents) == ({by_flasher} if by_flasher else set())
    assert by_merge(contents) == ({by_merger} if by_merger else set())


REFUSED: Final = {name: contents for name, (contents, verdict) in CELLS.items() if verdict == "place"}


@pytest.mark.parametrize("contents", REFUSED.values(), ids=REFUSED)
def test_a_refusal_of_flash_can_be_waived(contents: Contents) -> None:
    plan = by_flash(contents, frozenset({"place"}))

    assert "place" not in plan


@pytest.mark.parametrize("contents", REFUSED.values(), ids=REFUSED)
def test_what_is_given_back_as_it_was_is_not_refused(contents: Contents) -> None:
    assert "misplaced" in by_merge(contents, verbatim=True)


# --- what is on the device ---

ON_DEVICE: Final[dict[str, tuple[str, Contents, str]]] = {
    "half where rBoot is": ("dumps/rboot-1m.bin", [(0x1_0000, HALF)], ""),
    "half where Espressif's loader is": ("dumps/sdk-boot-1m.bin", [(0x1_0000, HALF)], "place"),
    "user1 where its loader is": ("dumps/sdk-boot-1m.bin", [(0x1000, USER1)], ""),
    "user1 where Arduino is": ("dumps/arduino-4m.bin", [(0x1000, USER1)], "not-used"),
    "user1 where NodeMCU is": ("dumps/nodemcu-2.2-4m.bin", [(0x1000, USER1)], "not-used"),
    "user1 on an erased chip": ("", [(0x1000, USER1)], ""),
    "app in its slot": ("dumps/rtos3-1m.bin", [(0x1_0000, APP)], ""),
    "app where NodeMCU is": ("dumps/nodemcu-2.2-4m.bin", [(0x1_0000, APP)], "not-used"),
    "irom where NodeMCU is": ("dumps/nodemcu-2.2-4m.bin", [(0x1_0000, IROM)], ""),
    "table where NodeMCU is": ("dumps/nodemcu-2.2-4m.bin", [(0x8000, TABLE)], "not-used"),
    "RAM program where rBoot is": ("dumps/rboot-1m.bin", [(0x2000, RAM)], ""),
    "Arduino where Arduino is": ("dumps/arduino-4m.bin", [(0x20_0000, ARDUINO)], "place"),
    "init data where NodeMCU 2 does not look": ("dumps/nodemcu-2.2-4m.bin", [(0xF_C000, V05)], "misplaced"),
    "init data where NodeMCU 3 does not look": (
        "dumps/nodemcu-3-used-4m.bin",
        [(0x3F_C000, V05)],
        "misplaced",
    ),
    "init data where NodeMCU 3 looks": ("dumps/nodemcu-3-used-4m.bin", [(0xF000, V05)], ""),
    "file system beside the partition": ("dumps/nodemcu-3-used-4m.bin", [(0x10_0000, LITTLEFS)], "misplaced"),
    "file system in NodeMCU's partition": ("dumps/nodemcu-3-used-4m.bin", [(0x3_E000, SPIFFS)], ""),
    "LittleFS on Arduino": ("dumps/arduino-4m.bin", [(0x20_0000, LITTLEFS)], ""),
    "espfs in NodeMCU's parameters": (
        "dumps/nodemcu-3-used-4m.bin",
        [(0x3F_D000, "espfs/web.espfs")],
        "misplaced",
    ),
    "init data where NodeMCU 2 looks": ("dumps/nodemcu-2.2-4m.bin", [(0x3F_C000, V05)], ""),
}


@pytest.mark.parametrize(("device", "contents", "verdict"), ON_DEVICE.values(), ids=ON_DEVICE)
def test_what_is_on_the_device_counts(device: str, contents: Contents, verdict: str) -> None:
    flash = (IMAGES[device] if device else b"").ljust(4 * MEGA, b"\xff")
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=4 * MEGA)
    request = PlanRequest(tuple(pieces(contents)))

    try:
        plan = plan_flash(request, target, lambda address, size: flash[address : address + size])
        found = OF_PLACE & {finding.code for finding in plan.findings}
    except LayoutError as error:
        found = {error.check or "none"}

    assert found == ({verdict} if verdict else set())


def test_a_device_that_is_erased_first_does_not_count() -> None:
    flash = IMAGES["dumps/arduino-4m.bin"]
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=4 * MEGA)
    request = PlanRequest(tuple(pieces([(0x1000, USER1)])), erase_all=True)

    plan = plan_flash(request, target, lambda address, size: flash[address : address + size])

    assert not OF_PLACE & {finding.code for finding in plan.findings}


# --- full images ---

IN_FULL_IMAGES: Final = {
    name: CELLS[name]
    for name in (
        "irom of the pair",
        "init data at its place",
        "init data elsewhere",
        "init data of NodeMCU 3",
        "file system in its partition",
        "file system beside its partition",
        "LittleFS beside the partition",
        "file system at a place of NodeMCU 2",
        "file system where NodeMCU 2 does not look",
        "LFS beside its partition",
        "espfs",
        "packed firmware",
    )
}


@pytest.mark.parametrize(("contents", "verdict"), IN_FULL_IMAGES.values(), ids=IN_FULL_IMAGES)
def test_a_cell_by_fullimage(contents: Contents, verdict: str) -> None:
    try:
        made = fullimage(pieces(contents), "1MB", Extras(InitDataSource("none")))
        found = OF_PLACE & {finding.code for finding in made.findings}
    except ImgtoolError as error:
        found = {error.check or "none"}

    assert found == ({verdict} if verdict else set())


# --- what must never be refused ---


@pytest.mark.parametrize("name", [name for name in IMAGES if name.startswith(("dumps/", "generations/"))])
def test_the_parts_of_a_flash_may_go_back(name: str) -> None:
    if not KINDS[describe(IMAGES[name]).kind].has_layout:
        pytest.skip("split takes no such file")
    parts = split(IMAGES[name]).pieces

    merged = merge(parts, pad_to=len(IMAGES[name]))

    assert merged.data == IMAGES[name]


@pytest.mark.parametrize("name", [name for name in IMAGES if name.startswith(("dumps/", "generations/"))])
def test_no_place_is_wrong_of_the_parts_of_a_flash(name: str) -> None:
    if not KINDS[describe(IMAGES[name]).kind].has_layout:
        pytest.skip("split takes no such file")
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=len(IMAGES[name]))
    others = frozenset(CHECKS) - {"place"}  # such as a wrong checksum in a slot

    plan = plan_flash(PlanRequest(split(IMAGES[name]).pieces, size_choice="keep", force=others), target)

    assert plan.pieces


REAL: Final[dict[str, Contents]] = {
    "AT without a boot loader": [
        (0, "at/at-sdk2.0-noboot-eagle.flash.bin"),
        (0x1_0000, "at/at-sdk2.0-noboot-eagle.irom0text.bin"),
        (0x7_C000, "initdata/esp_init_data_default_v05.bin"),
        (0x7_E000, "initdata/blank.bin"),
    ],
    "AT with one": [
        (0, "boot/boot_v1.7.bin"),
        (0x1000, "at/at-sdk3.0.6-2024-06-user1.bin"),
        (0x8_1000, "at/at-sdk3.0.6-2024-06-user2.bin"),
        (0xF_C000, "initdata/esp_init_data_default_v08.bin"),
        (0xF_E000, "initdata/blank.bin"),
    ],
    "AT of SDK 1.4": [(0, "boot/boot_v1.2.bin"), (0x1000, "at/sdk1.4-user1.1024.new.2.bin")],
    "repeater behind rBoot": [(0, "boot/rboot-mger.bin"), (0x2000, "sdkapps/mger-repeater-0x02000.bin")],
    "repeater in its second ROM": [(0x20_2000, "sdkapps/mger-repeater-0x02000.bin")],
    "RTOS SDK": [
        (0, "boot/rtos3-bootloader.bin"),
        (0x8000, "rtos/rtos3-partition-table.bin"),
        (0x1_0000, "rtos/rtos3-hello-world.bin"),
    ],
    "flasher of 2015": [(0, "nodemcu/flasher-0x00000.bin"), (0x1_0000, "nodemcu/flasher-0x10000.bin")],
    "NodeMCU of 2015": [
        (0, "nodemcu/fw-20150112-0x00000.bin"),
        (0x1_0000, "nodemcu/fw-20150112-0x10000.bin"),
    ],
    "NodeMCU 0.9.2": [
        (0, "nodemcu/fw092-2M-eagle.app.v6.flash.bin"),
        (0x1_0000, "nodemcu/fw092-2M-eagle.app.v6.irom0text.bin"),
    ],
    "NodeMCU of 2018": [(0, "nodemcu/yuan-0x00000.bin"), (0x1_0000, "nodemcu/yuan-0x10000.bin")],
    "SDK example": [
        (0, "sdkapps/esptool-iotdemo-0x00000.bin"),
        (0x1_0000, "sdkapps/esptool-iotdemo-0x10000.bin"),
    ],
    "RGBWW's files": [(0x10_0000, "fs/rgbww-spiff_rom.bin")],
    "NodeMCU whole": [(0, "nodemcu/nodemcu_integer_0.9.5_20150318.bin")],
    "NodeMCU 3 whole": [(0, "nodemcu/heikomat-firmware-lfs.bin")],
    "MicroPython": [(0, "micropython/firmware-combined-2017.bin")],
    "WLED": [(0, "wled/WLED_0.14.3_ESP8266_160.bin")],
    "ESPHome": [(0, "esphome/webtools-esp8266-2021.bin")],
    "deep sleep": [(0, "sdkapps/esptool-deepsleep.bin")],
    "RAM program": [(0, "sdkapps/esptool-ram-helloworld.bin")],
}


@pytest.mark.parametrize("contents", REAL.values(), ids=REAL)
def test_real_files_at_their_places_are_not_spoken_against(contents: Contents) -> None:
    files = [Piece(address, real(name), name) for address, name in contents]
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=4 * MEGA)
    # Their size is 512 KB where it matters here, as in the guide that they come with.
    keeps = PlanRequest(tuple(files), size_choice="keep")

    plan, merged = plan_flash(keeps, target), merge(files)

    assert not OF_PLACE & {finding.code for finding in (*plan.findings, *merged.findings)}


# --- on the command line ---


@pytest.mark.parametrize(
    ("address", "name"), [("0x10000", HALF), ("0x20000", RAM)], ids=["half at the irom place", "RAM program"]
)
def test_the_command_line_refuses(put: Put, imgtool: Command, address: str, name: str) -> None:
    put("image.bin", IMAGES[name])

    flash = imgtool("flash", "-p", "sim:4MB", "--stub", "none", "--dry-run", "--json", address, "image.bin")
    merged = imgtool("merge", address, "image.bin", "-o", "out.bin", "--json")

    errors = [json.loads(run.err)["error"] for run in (flash, merged)]
    assert [
        (run.code, error["type"], error["check"]) for run, error in zip((flash, merged), errors, strict=True)
    ] == [(4, "LayoutError", "place")] * 2


def test_a_place_by_a_size_that_is_not_certain_is_a_warning(put: Put, imgtool: Command) -> None:
    for name, content in (("0x00000.bin", HALF), ("0x10000.bin", IROM), ("0x7c000.bin", V05)):
        put(name, IMAGES[content])

    run = imgtool("merge", "0x00000.bin", "0x10000.bin", "0x7c000.bin", "-o", "out.bin", "--json")
    sized = imgtool("merge", "0x00000.bin", "0x10000.bin", "0x7c000.bin", "-o", "out.bin", "-fs", "512KB")

    findings = json.loads(run.out)["results"][0]["findings"]
    assert (run.code, [finding["code"] for finding in findings], sized.code) == (0, ["misplaced"], 0)
