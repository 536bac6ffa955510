from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgtool.chip import SECTOR
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.reading import Firmware
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.init_data import SETS
from imgtool.formats.regions.nodemcu_page import RecordPage
from imgtool.layout.nodemcu import resolve
from imgtool.virtual.chip.boot import BootOutcome, BootRun, ResetCause, boot, download_banner
from imgtool.virtual.chip.boot_sdk import application_stage
from imgtool.virtual.chip.boot_stage import BootFlash
from tests.strategies import BOOT_IMAGES, BYTE, LOADABLE_IMAGES
from tests.support import IMAGES, aggregate, flipped, real, table_page

BANNER: Final = b"\r\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n"
MB: Final = 0x10_0000
PAGE: Final = 0x1_0000


def flash(
    image: bytes, size: int = MB, *, code: int | None = None, puts: dict[int, bytes] | None = None
) -> bytes:
    """An erased flash of ``size`` bytes with an image at 0, another size nibble, and more bytes."""
    content = bytearray(image.ljust(size, b"\xff"))
    if code is not None:
        content[3] = code << 4 | content[3] & 0xF
    for address, data in (puts or {}).items():
        content[address : address + len(data)] = data
    return bytes(content)


def start(content: bytes, cause: ResetCause = ResetCause.EXTERNAL, *, writes: bool = False) -> BootRun:
    return boot(content, cause, writes=writes)


def written(content: bytes, run: BootRun) -> bytes:
    """The flash after the writes of a run, sectors erased first."""
    after = bytearray(content)
    for event in run.events:
        if event.write is not None:
            address, data = event.write
            size = max(SECTOR, -(-len(data) // SECTOR) * SECTOR)
            after[address : address + size] = data.ljust(size, b"\xff")
    return bytes(after)


def rom_lines(content: bytes) -> list[str]:
    return start(content).text().decode("ascii").split("\r\n")


# --- the ROM --------------------------------------------------------------------------------------


# Lengths, rooms, tails and the "ho" lines of real logs; numbers only, each from the thread named.
# https://github.com/ is cut from the GitHub ones.
LOGS: Final = [
    ("espressif/ESP8266_NONOS_SDK/issues/145", (2592, 764, 676), (16, 8, 4), (0, 4, 0), ()),
    ("bbs.espressif.com/feed.php?f=65&t=913", (1396, 776, 540), (16, 4, 4), (4, 4, 8), ()),
    ("oarcher/piotech/issues/1", (3460, 40), (16, 4), (4, 4), ()),
    ("esp8266/Arduino/issues/9122", (3424, 40), (16, 8), (0, 0), ()),
    ("martin-ger/esp_wifi_repeater/issues/182", (31824, 2064, 6044), (16, 8, 0), (0, 8, 12), ()),
    ("espressif/ESP8266_RTOS_SDK/issues/1304", (7544, 24, 3476), (16, 0, 0), (8, 8, 4), ()),
    ("SmingHub/Sming/issues/377", (1516, 700), (16, 12), (12, 0), ("ho 0 tail 12 room 4",)),
    ("esp8266/Arduino/issues/435", (28780, 1580, 36588), (16, 12, 8), (12, 0, 4), ("ho 0 tail 12 room 4",)),
    (
        "bbs.espressif.com/viewtopic.php?t=1896",
        (816, 788, 288),
        (16, 8, 12),
        (0, 12, 4),
        ("ho 0 tail 12 room 4",),
    ),
    (
        "bbs.espressif.com/viewtopic.php?f=65&t=10362",
        (25700, 848, 184),
        (16, 4, 12),
        (4, 12, 12),
        ("ho 0 tail 12 room 4",),
    ),
    ("nodemcu/nodemcu-firmware/pull/1500", (26420, 2200, 8), (16, 4, 4), (4, 4, 4), ()),
    ("nodemcu/nodemcu-firmware/issues/613", (31816, 3016, 8), (16, 0, 0), (8, 8, 8), ()),
    ("nodemcu/nodemcu-firmware/issues/1393", (28740, 2888, 15536), (16, 4, 4), (4, 4, 12), ()),
    ("micropython/micropython/issues/1957", (31840, 1000, 29880), (16, 8, 8), (0, 0, 0), ()),
    ("HomeACcessoryKid/ESP8266-HomeKit/issues/20", (30372, 2860, 3152), (16, 4, 0), (4, 8, 0), ()),
    ("esp8266/Arduino/issues/8240", (31320, 0, 0), (16, 0, 8), (8, 0, 0), ()),
    (
        "bbs.espressif.com/viewtopic.php?f=65&t=2826",
        (212, 0, 0),
        (16, 4, 12),
        (4, 0, 0),
        ("ho 12 tail 0 room 4",),
    ),
]


@pytest.mark.parametrize(("thread", "lengths", "rooms", "tails", "more"), LOGS, ids=[row[0] for row in LOGS])
def test_room_and_tail_are_those_of_real_logs(
    thread: str,
    lengths: tuple[int, ...],
    rooms: tuple[int, ...],
    tails: tuple[int, ...],
    more: tuple[str, ...],
) -> None:
    segments = tuple(
        Segment(0x40100000 if index == 0 else 0x3FFE8000, bytes(size)) for index, size in enumerate(lengths)
    )
    lines = rom_lines(flash(BootImage(0, 0x20, 0x40100004, segments).build()))

    loads = [line for line in lines if line.startswith("load")]
    assert [line.split("room ")[1] for line in loads] == [f"{room} " for room in rooms], thread
    assert [line for line in lines if line.startswith("tail")] == [f"tail {tail}" for tail in tails]
    assert tuple(line for line in lines if line.startswith("ho")) == more


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "boot/boot_v1.2.bin",  # https://bbs.espressif.com/viewtopic.php?t=1896
            (
                "load 0x40100000, len 816, room 16 \ntail 0\nchksum 0x8d\n"
                "load 0x3ffe8000, len 788, room 8 \ntail 12\nchksum 0xcf\nho 0 tail 12 room 4\n"
                "load 0x3ffe8314, len 288, room 12 \ntail 4\nchksum 0xcf\ncsum 0xcf\n"
                "\n2nd boot version : 1.2\n  SPI Speed      : 40MHz\n  SPI Mode       : DIO\n"
                "  SPI Flash Size : 8Mbit\njump to run user1\n\n"
            ),
        ),
        (
            "boot/boot_v1.6.bin",  # https://forum.espruino.com/comments/13457119
            (
                "load 0x40100000, len 2408, room 16 \ntail 8\nchksum 0xe5\n"
                "load 0x3ffe8000, len 776, room 0 \ntail 8\nchksum 0x84\n"
                "load 0x3ffe8310, len 632, room 0 \ntail 8\nchksum 0xd8\ncsum 0xd8\n"
                "\n2nd boot version : 1.6\n  SPI Speed      : 40MHz\n  SPI Mode       : DIO\n"
                "  SPI Flash Size & Map: 8Mbit(512KB+512KB)\nno GPIO select!\njump to run user1 @ 1000\n\n"
            ),
        ),
        (
            "boot/boot_v1.7.bin",  # https://github.com/espressif/ESP8266_NONOS_SDK/issues/145
            (
                "load 0x40100000, len 2592, room 16 \ntail 0\nchksum 0xf3\n"
                "load 0x3ffe8000, len 764, room 8 \ntail 4\nchksum 0x92\n"
                "load 0x3ffe82fc, len 676, room 4 \ntail 0\nchksum 0x22\ncsum 0x22\n"
                "\n2nd boot version : 1.7(5d6f877)\nSPI Speed : 40MHz\nSPI Mode : DIO\n"
                "SPI Flash Size & Map: 8Mbit(512KB+512KB)\njump to run user1 @ 1000\n\n"
            ),
        ),
    ],
)
def test_real_boot_loaders_print_what_logs_show(name: str, text: str) -> None:
    loader = bytearray(real(name))
    loader[2:4] = b"\x02\x20"
    run = start(flash(bytes(loader), puts={0x1000: IMAGES["v2/user1.bin"]}))

    assert run.text().startswith(BANNER + text.encode().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        # https://www.esp8266.com/viewtopic.php?p=94876
        (
            "esphome/webtools-esp8266-2021.bin",
            "load 0x4010f000, len 3584, room 16 \ntail 0\nchksum 0xb0\ncsum 0xb0\nv2843a5ac\n~ld\n",
        ),
        # https://github.com/esp8266/Arduino/issues/9122, but for the length of the application
        (
            "wled/WLED_0.14.3_ESP8266_160.bin",
            (
                "load 0x4010f000, len 3424, room 16 \ntail 0\nchksum 0x2e\n"
                "load 0x3fff20b8, len 40, room 8 \ntail 0\nchksum 0x2b\ncsum 0x2b\nv000d57f0\n~ld\n"
            ),
        ),
        # https://github.com/esp8266/Arduino/issues/3757, but for the version of the core
        (
            "sdkapps/esptool-deepsleep.bin",
            "load 0x4010f000, len 1384, room 16 \ntail 8\nchksum 0x2d\ncsum 0x2d\nv4c04c63c\n~ld\n",
        ),
        # https://bbs.espressif.com/viewtopic.php?f=65&t=2826
        (
            "at/at-sdk2.0-noboot-eagle.flash.bin",
            (
                "load 0x40100000, len 31320, room 16 \ntail 8\nchksum 0x69\n"
                "load 0x3ffe8000, len 2132, room 0 \ntail 4\nchksum 0x44\n"
                "load 0x3ffe8860, len 7712, room 4 \ntail 12\nchksum 0x11\ncsum 0x11\n"
            ),
        ),
    ],
)
def test_real_images_print_what_logs_show(name: str, text: str) -> None:
    # What a log has lost of its line ends: core 2 ends the last line without a CR.
    said = start(flash(real(name))).text()
    assert said.replace(b"\r\n", b"\n") == BANNER.replace(b"\r\n", b"\n") + text.encode()


def test_erased_flash() -> None:
    # https://github.com/esp8266/Arduino/issues/2521
    run = start(b"\xff" * MB)

    assert run.text() == BANNER + b"ets_main.c "
    assert (run.outcome, run.next_cause, run.application) == (BootOutcome.HANGS, None, None)


def test_no_flash_reads_as_erased() -> None:
    assert start(b"").text() == BANNER + b"ets_main.c "


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (ResetCause.POWER_ON, b"\r\n ets Jan  8 2013,rst cause:1, boot mode:(1,7)\r\n\r\n"),
        (ResetCause.EXTERNAL, b"\r\n ets Jan  8 2013,rst cause:2, boot mode:(1,7)\r\n\r\n"),
        (ResetCause.WATCHDOG, b"\r\n ets Jan  8 2013,rst cause:4, boot mode:(1,7)\r\n\r\nwdt reset\r\n"),
    ],
)
def test_download_banner(cause: ResetCause, text: bytes) -> None:
    # https://github.com/esp8266/Arduino/issues/9016 and 2829
    assert download_banner(cause, 7) == text
    run = boot(IMAGES["dumps/nodemcu-2.2-4m.bin"], cause, strap=1, state=7)
    assert (run.text(), run.outcome) == (text, BootOutcome.HANGS)


@pytest.mark.parametrize("strap", [0, 2, 4, 5, 6, 7])
def test_other_straps_do_not_read_the_flash(strap: int) -> None:
    run = boot(IMAGES["dumps/nodemcu-2.2-4m.bin"], ResetCause.POWER_ON, strap=strap)

    assert run.outcome is BootOutcome.HANGS
    assert f"boot mode:({strap},6)".encode() in run.text()
    assert b"load" not in run.text()


BOOTABLE: Final = [
    "sample/0x00000.bin",
    "nodemcu-0.9.5/0x00000.bin",
    "nodemcu-1.5.4.1-cloud/0x00000.bin",
    "nodemcu-3.0-2019/0x00000.bin",
    "nodemcu-3.0-2021/0x00000.bin",
    "nonos-1.3/0x00000.bin",
    "nonos-2.0/eagle.flash.bin",
    "boot/boot-1.6.bin",
    "rboot/rboot.bin",
    "rtos3/bootloader.bin",
    "arduino/core-2.3.bin",
    "arduino/core-3.1.bin",
]


@pytest.mark.parametrize("name", BOOTABLE)
def test_a_flipped_checksum_is_a_csum_err(name: str) -> None:
    image = BootImage.parse(IMAGES[name])
    offset = len(image.build()) - 1
    run = start(flash(flipped(IMAGES[name], offset)))

    assert start(flash(IMAGES[name])).text().count(b"csum err") == 0
    # The line before names the computed value: https://github.com/esp8266/Arduino/issues/435
    end = f"csum 0x{image.checksum:02x}\r\ncsum err\r\nets_main.c "
    assert run.text().endswith(end.encode())
    assert run.outcome is BootOutcome.HANGS


def in_words(image: BootImage) -> BootImage:
    """The image with whole words alone: parts of them the ROM cannot copy into instruction RAM."""
    segments = tuple(
        Segment(segment.address & ~3, segment.data.ljust(-(-len(segment.data) // 4) * 4, b"\0"))
        for segment in image.segments
    )
    return image._replace(segments=segments)


@given(LOADABLE_IMAGES.map(in_words), st.data())
def test_any_flipped_bit_in_a_segment_is_a_csum_err(image: BootImage, data: st.DataObject) -> None:
    built = image.build()
    places: list[int] = []
    position = 8
    for segment in image.segments:
        places += range(position + 8, position + 8 + len(segment.data))
        position += 8 + len(segment.data)
    place = data.draw(st.sampled_from([*places, len(built) - 1]))

    assert b"csum err" in start(flash(flipped(built, place), 0x1_0000)).text()


def test_a_length_that_no_flash_has() -> None:
    # https://github.com/pfalcon/esp-open-sdk/issues/368
    first = Segment(0x40100000, bytes(31364))
    image = BootImage(0, 0, 0x40100000, (first, first)).build()
    broken = image[: 16 + 31364] + b"\x88" * 8 + image[16 + 31364 + 8 :]
    run = start(flash(broken))

    text = (
        "load 0x40100000, len 31364, room 16 \r\ntail 4\r\nchksum 0xef\r\n"
        "load 0x88888888, len -2004318072, room 4 \r\n"
        "flash read err, ets_unpack_flash_code\r\nets_main.c "
    )
    assert run.text() == BANNER + text.encode()
    assert run.outcome is BootOutcome.HANGS


def test_a_length_beyond_4_mb() -> None:
    header = struct.pack("<BBBBIII", 0xE9, 1, 0, 0x20, 0x40100000, 0x40100000, 0x40_0000)
    run = start(flash(header))

    # It runs over the end of the RAM before the flash ends.
    assert run.text().endswith(b"len 4194304, room 16 \r\n")


def test_a_load_address_that_is_no_ram() -> None:
    # https://github.com/walmis/blackmagic-espidf/issues/10
    image = BootImage(0, 0, 0x40100000, (Segment(0x60000014, bytes(8)),)).build()
    run = start(flash(image), ResetCause.WATCHDOG)

    assert run.text().endswith(b"wdt reset\r\nload 0x60000014, len 8, room 16 \r\ntail 8\r\n")
    assert (run.outcome, "0x60000014" in run.reason) == (BootOutcome.HANGS, True)


def test_an_entry_point_outside_memory() -> None:
    run = start(flash(BootImage(0, 0, 0x20000000, (Segment(0x40100000, b"\1" * 16),)).build()))

    assert (run.outcome, "0x20000000" in run.reason) == (BootOutcome.HANGS, True)


def test_an_image_cut_by_the_end_of_the_flash_reads_on_at_its_start() -> None:
    image = IMAGES["sample/0x00000.bin"]
    run = start(image[:0x8000])

    assert run.text().count(b"load ") == 3
    assert b"csum err" in run.text()


# --- Espressif's boot loader ----------------------------------------------------------------------


LOADER: Final = IMAGES["boot/boot-1.6.bin"]
USER: Final = IMAGES["v2/user1.bin"]
LOADER_LINES: Final = (
    b"load 0x40100000, len 2400, room 16 \r\ntail 0\r\nchksum 0x92\r\n"
    b"load 0x3ffe8000, len 76, room 8 \r\ntail 4\r\nchksum 0xf5\r\ncsum 0xf5\r\n"
)
LOADER_TEXT: Final = (
    b"\r\n2nd boot version : 1.6\r\n  SPI Speed      : 40MHz\r\n  SPI Mode       : QIO\r\n"
    b"  SPI Flash Size & Map: 8Mbit(512KB+512KB)\r\n"
)


def test_loader_without_any_application() -> None:
    # As https://bbs.espressif.com/viewtopic.php?t=2911 shows it for 1.5.
    run = start(flash(LOADER, code=2))

    wdt = BANNER.replace(b"cause:2", b"cause:4") + b"wdt reset\r\n"
    assert run.text() == (
        BANNER + LOADER_LINES + LOADER_TEXT + b"no GPIO select!\r\njump to run user1 @ 1000\r\n\r\n"
        b"error magic!\r\nfirst boot failed, reboot to try backup bin\r\n\r\n"
        + wdt
        + LOADER_LINES
        + LOADER_TEXT
        + b"no GPIO select!\r\njump to run user2 @ 81000\r\n\r\n"
        b"error magic!\r\nbackup boot failed.\r\n\r\nuser code done\r\n"
    )
    assert run.outcome is BootOutcome.HANGS


def test_loader_and_a_user1_without_init_data() -> None:
    # As https://arduino.stackexchange.com/questions/33590 shows it.
    run = start(flash(LOADER, code=2, puts={0x1000: USER}))

    assert run.text() == (
        BANNER + LOADER_LINES + LOADER_TEXT + b"no GPIO select!\r\njump to run user1 @ 1000\r\n\r\n"
        b"rf_cal[0] !=0x05,is 0xFF\r\n"
    )
    assert (run.outcome, run.next_cause) == (BootOutcome.BOOT_LOOP, ResetCause.EXTERNAL)


@pytest.mark.parametrize(
    ("code", "slot", "size"),
    [
        (0, 0x41000, "4Mbit(256KB+256KB)"),
        (3, 0x81000, "16Mbit(512KB+512KB)"),
        (6, 0x101000, "32Mbit(1024KB+1024KB)"),
    ],
)
def test_loader_takes_user2_if_that_is_there(code: int, slot: int, size: str) -> None:
    last = {0: 0x80000, 3: 2 * MB, 6: 4 * MB}[code]
    puts = {slot: IMAGES["v2/user2.bin"], last - 0x4000: SETS["v05"]}
    run = start(flash(LOADER, 4 * MB, code=code, puts=puts))

    assert f"& Map: {size}\r\njump to run user2 @ {slot:x}\r\n\r\n".encode() in run.text()
    assert run.application == "non-OS SDK application"
    if slot == 0x81000:
        assert run.outcome is BootOutcome.RUNNING
    else:  # this image is of the second slot of a MB
        assert (run.outcome, "linked for 0x081000" in run.reason) == (BootOutcome.HANGS, True)


def test_a_loader_that_has_given_up_user1_goes_to_user2_at_once() -> None:
    puts = {MB - SECTOR: b"\1", MB - 2 * SECTOR: b"\xf8\xe6"}
    run = start(flash(LOADER, code=2, puts=puts), writes=True)

    assert run.text() == (
        BANNER + LOADER_LINES + LOADER_TEXT + b"no GPIO select!\r\njump to run user2 @ 81000\r\n\r\n"
        b"error magic!\r\nbackup boot failed.\r\n\r\nuser code done\r\n"
    )
    assert all(event.write is None for event in run.events)


def test_a_user1_with_a_wrong_checksum_is_not_run() -> None:
    offset = 16 + len(OtaImage.parse(USER).irom) + 40
    puts = {0x1000: flipped(USER, offset), 0x81000: IMAGES["v2/user2.bin"], MB - 4 * SECTOR: SETS["v05"]}
    run = start(flash(LOADER, code=2, puts=puts))

    assert b"error magic!" not in run.text()
    assert run.text().count(b"first boot failed, reboot to try backup bin") == 1
    assert run.text().endswith(b"jump to run user2 @ 81000\r\n\r\n")
    assert run.outcome is BootOutcome.RUNNING


# --- the SDK's first check, NodeMCU ---------------------------------------------------------------


SAMPLE: Final = aggregate("sample")
SAMPLE_LINES: Final = (
    b"load 0x40100000, len 24576, room 16 \r\ntail 0\r\nchksum 0x3d\r\n"
    b"load 0x3ffe8000, len 2304, room 8 \r\ntail 8\r\nchksum 0xc9\r\n"
    b"load 0x3ffe8900, len 7168, room 0 \r\ntail 0\r\nchksum 0xfe\r\ncsum 0xfe\r\n"
)
SAMPLE_BANNER: Final = b"\r\nNodeMCU 2.2.0 build 20190301 powered by Lua 5.1.4 on SDK 2.2.1(6ab97e9)\r\n"


def test_nodemcu_2_repairs_erased_init_data() -> None:
    content = flash(SAMPLE)
    run = start(content, writes=True)

    assert (run.text(), run.text(115200)) == (BANNER + SAMPLE_LINES, b"\r\n" + SAMPLE_BANNER)
    assert [event.write for event in run.events if event.write] == [(0xFC000, SETS["v05"])]
    assert (run.outcome, run.application) == (BootOutcome.RUNNING, "NodeMCU 2.2.0")
    after = start(written(content, run), writes=True)
    assert [event.write for event in after.events if event.write] == []
    assert after.text() == run.text()


def test_without_writes_it_goes_on_as_if_they_were_done() -> None:
    with_writes, without = start(flash(SAMPLE), writes=True), start(flash(SAMPLE))

    assert all(event.write is None for event in without.events)
    assert without.text() == with_writes.text()
    assert "as if that had been written" in without.reason
    assert "as if" not in with_writes.reason


@pytest.mark.parametrize("first", [b"\x00", b"\x10\xff\xff\xff", b"\xff\xff\xff\x05"])
def test_nodemcu_2_does_not_repair_garbage(first: bytes) -> None:
    run = start(flash(SAMPLE, puts={0xFC000: first}), ResetCause.POWER_ON, writes=True)

    assert run.text().endswith(f"rf_cal[0] !=0x05,is 0x{first[0]:02X}\r\n".encode())
    assert (run.outcome, run.next_cause) == (BootOutcome.BOOT_LOOP, ResetCause.POWER_ON)
    assert all(event.write is None for event in run.events)


def test_the_end_of_the_flash_is_that_of_the_header() -> None:
    puts = {0x3FC000: SETS["v05"]}

    run = start(flash(SAMPLE, 4 * MB, puts=puts), writes=True)
    assert [event.write for event in run.events if event.write] == [(0xFC000, SETS["v05"])]
    run = start(flash(SAMPLE, 4 * MB, code=4, puts=puts), writes=True)
    assert (run.reason, run.outcome) == ("its init data is at 0x3fc000", BootOutcome.RUNNING)


def test_the_nibble_without_a_name_is_4_mb_to_nodemcu() -> None:
    run = start(flash(SAMPLE, 4 * MB, code=7), writes=True)

    assert [event.write for event in run.events if event.write] == [(0x3FC000, SETS["v05"])]


def test_a_flash_smaller_than_its_header_says_is_read_in_mirrors() -> None:
    run = start(flash(SAMPLE, MB, code=4, puts={0xFC000: SETS["v05"]}))

    assert run.outcome is BootOutcome.RUNNING
    assert "0x3fc000" in run.reason
    assert "0x0fc000" in run.reason


def test_the_1_5_4_1_cloud_build_repairs_erased_init_data() -> None:
    run = start(flash(aggregate("nodemcu-1.5.4.1-cloud")), writes=True)

    assert [event.write for event in run.events if event.write] == [(0x7C000, SETS["v05"])]
    assert run.text(115200).startswith(b"\r\n\r\nNodeMCU custom build by frightanic.com\r\n\tbranch: ")
    assert run.text(115200).endswith(b" powered by Lua 5.1.4 on SDK 1.5.4.1(39cb9a32)\r\n")


def test_a_build_without_init_data_of_its_own_loops() -> None:
    # As 1.5.4.1 of 20160802 and 20161001: https://github.com/nodemcu/nodemcu-firmware/pull/1500
    image = aggregate("nodemcu-1.5.4.1-cloud").replace(SETS["v05"], SETS["libphy"])
    parsed = BootImage.parse(image)
    head = BootImage(parsed.mode_code, parsed.size_freq_code, parsed.entry, parsed.segments).build()
    run = start(flash(head + image[len(head) :]), writes=True)

    assert run.text().endswith(b"rf_cal[0] !=0x05,is 0xFF\r\n")
    assert (run.outcome, run.next_cause) == (BootOutcome.BOOT_LOOP, ResetCause.EXTERNAL)
    assert "writes none itself" in run.reason


def test_nodemcu_0_9_5_writes_and_erases() -> None:
    run = start(flash(aggregate("nodemcu-0.9.5"), 0x80000, code=0), writes=True)

    assert [event.write for event in run.events if event.write] == [
        (0x7C000, SETS["SDK 0.9"]),
        (0x7E000, b""),
        (0x7F000, b""),
    ]
    assert run.text(9600) == (
        b"\r\nRestore init data.\r\n\r\nNodeMCU 0.9.5 build 20150318  powered by Lua 5.1.4\r\n"
    )
    assert run.outcome is BootOutcome.RUNNING


@pytest.mark.parametrize(
    ("size", "code", "nibble", "restores"),
    [(4 * MB, 0, 4, True), (2 * MB, 5, 3, False), (4 * MB, 4, None, True)],
)
def test_nodemcu_0_9_5_takes_the_size_of_the_chip(
    size: int, code: int, nibble: int | None, restores: bool
) -> None:
    content = flash(aggregate("nodemcu-0.9.5"), size, code=code)
    run = start(content, writes=True)
    headers = [event.write[1][3] >> 4 for event in run.events if event.write and event.write[0] == 0]

    assert headers == ([] if nibble is None else [nibble])
    assert (b"Self adjust flash size.\r\n" in run.text(9600)) is (nibble is not None)
    assert (b"Restore init data.\r\n" in run.text(9600)) is restores
    assert (size - 0x4000, SETS["SDK 0.9"]) in [event.write for event in run.events]


def test_nodemcu_2_takes_the_size_of_the_chip_and_restarts() -> None:
    word = b"Self adjust flash size.\n\0"
    image = aggregate("sample")
    content = flash(image + word, 4 * MB, code=2)
    run = start(content, writes=True)
    after = written(content, run)

    assert b"\r\nSelf adjust flash size.\r\n" + BANNER in run.text(115200)
    assert [event.write[0] for event in run.events if event.write] == [0xFC000, 0, 0x3FC000]
    assert after[3] >> 4 == 4
    assert run.outcome is BootOutcome.RUNNING
    assert BANNER not in start(after).text(115200)


def test_nodemcu_1_4_writes_and_restarts() -> None:
    image = aggregate("nodemcu-0.9.5").replace(b"NodeMCU 0.9.5", b"NodeMCU 1.4.0")
    parsed = BootImage.parse(image)
    head = BootImage(parsed.mode_code, parsed.size_freq_code, parsed.entry, parsed.segments).build()
    run = start(flash(head + image[len(head) :]), writes=True)

    (address, own), *_ = [event.write for event in run.events if event.write]
    assert (address, own[107], len(own)) == (0x7C000, 0xFF, 128)
    assert run.text().count(BANNER) == 2
    assert run.outcome is BootOutcome.RUNNING


HEAD: Final = ((101, 0, 0xB000), (4, 0xD000, 0x1000), (5, 0xF000, 0x1000))
THREE: Final = {"nodemcu-3.0-2019": 0xC000, "nodemcu-3.0-2021": 0xF000}


@pytest.mark.parametrize("name", THREE)
def test_first_boot_of_nodemcu_3(name: str) -> None:
    content, phy = flash(aggregate(name)), THREE[name]
    run = start(content, writes=True)
    lines = rom_lines(content)
    rom = (
        "\r\n".join(lines[: next(i for i, line in enumerate(lines) if line.startswith("csum")) + 1]) + "\r\n"
    )

    size = "system SPI FI size:2, Flash size: 1048576\r\n"
    assert run.text().decode() == (
        rom
        + size
        + rom
        + size
        + f"Writing Init Data to 0x{phy:08x}\r\nboot not set\r\nota1 not set\r\nota2 not set\r\n"
    )
    assert run.text(115200).startswith(b"\r\n\r\nNodeMCU 3.0.0.0 built ")
    assert run.text(115200).endswith(b" powered by Lua 5.1.4 on SDK 3.0.1-dev(fce080e)\r\n")
    assert run.outcome is BootOutcome.RUNNING

    after = written(content, run)
    page, before = RecordPage.parse(after, PAGE), RecordPage.parse(content, PAGE)
    assert before.table is not None
    assert page.table == resolve(before.table, MB, 0)
    assert [record.id for record in page.records] == [
        nodemcu_page.DELETED,
        nodemcu_page.TABLE,
        nodemcu_page.PHY_DATA_DONE,
    ]
    assert after[phy : phy + 128] == SETS["v05"]
    again = start(after, writes=True)
    assert (again.text().count(BANNER), again.outcome) == (1, BootOutcome.RUNNING)
    assert all(event.write is None for event in again.events)


def test_a_used_nodemcu_3_does_not_repair_its_init_data() -> None:
    dump = IMAGES["dumps/nodemcu-3-used-4m.bin"]
    run = start(dump)
    assert (run.outcome, run.reason) == (BootOutcome.RUNNING, "its init data is at 0x00f000")

    run = start(dump[:0xF000] + b"\x30" + dump[0xF001:], writes=True)
    assert run.text().endswith(
        b"boot not set\r\nota1 not set\r\nota2 not set\r\nrf_cal[0] !=0x05,is 0x30\r\n"
    )
    assert run.outcome is BootOutcome.BOOT_LOOP
    assert all(event.write is None for event in run.events)


@pytest.mark.parametrize(("code", "size"), [(0, 524288), (1, 262144)])
def test_nodemcu_3_on_less_than_1_mb(code: int, size: int) -> None:
    run = start(flash(aggregate("nodemcu-3.0-2021"), code=code))

    lines = f"Flash size ({size}) too small to support NodeMCU\r\nrf_cal[0] !=0x05,is 0xE9\r\n".encode()
    assert run.text().endswith(lines if code == 0 else b"csum 0x3a\r\n")
    assert run.outcome is BootOutcome.BOOT_LOOP


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ((*HEAD, (102, PAGE, 0), (106, 0x80800, 0x1000), (6, 0, 0x3000), (0, 0x40230000, 0)),
         b"Partition 4 invalid alignment\r\n"),
        ((*HEAD, (102, PAGE, 0), (106, 0x100000, 0x1000), (0, 0x40230000, 0)),
         b"Partition 4 invalid alignment\r\n"),
        ((*HEAD, (102, PAGE, 0x20000), (106, PAGE, 0x1000)), b"Invalid system partition table\r\n"),
    ],
)  # fmt: skip
def test_nodemcu_3_stops_at_a_bad_table(entries: tuple[tuple[int, int, int], ...], line: bytes) -> None:
    run = start(flash(aggregate("nodemcu-3.0-2021"), puts={PAGE: table_page(*entries)}))

    assert run.text().endswith(b"Flash size: 1048576\r\n" + line)
    assert run.outcome is BootOutcome.HANGS


def test_nodemcu_3_without_its_page() -> None:
    run = start(flash(aggregate("nodemcu-3.0-2021"), puts={PAGE: b"\xff" * SECTOR}))

    assert run.text().endswith(b"Flash size: 1048576\r\nE:M -1\r\nrf_cal[0] !=0x05,is 0xE9\r\n")
    assert (run.outcome, "no partition table" in run.reason) == (BootOutcome.BOOT_LOOP, True)


def test_rf_lines_of_real_nodemcu() -> None:
    run = start(flash(real("nodemcu/yuan-nodemcu_integer.bin"), 4 * MB, code=4))

    lines = b"rf cal sector: 1019\r\nfreq trace enable 0\r\nrf[112] : 00\r\nrf[113] : 00\r\nrf[114] : 01\r\n"
    lines += b"w_flash\r\n\r\nSDK ver: 2.1.0(116b762) compiled @ May  5 2017 16:08:55\r\n"
    assert run.text().endswith(b"csum 0x16\r\n" + lines + b"phy ver: 1134_0, pp ver: 10.2\r\n\r\n")
    assert run.text(115200) == (
        b"\r\nFormatting file system. Please wait...\r\n"
        b"\r\nNodeMCU 2.1.0 build 20181116 powered by Lua 5.1.4 on SDK 2.1.0(116b762)\r\n"
        b"lua: cannot open init.lua\r\n> "
    )


def test_real_at_firmware_without_init_data_loops() -> None:
    files = [real(f"at/at-sdk2.0-noboot-eagle.{part}.bin") for part in ("flash", "irom0text")]
    run = start(flash(files[0], 4 * MB, code=6, puts={PAGE: files[1]}))

    assert run.text().endswith(b"csum 0x11\r\nrf_cal[0] !=0x05,is 0xFF\r\n")
    assert run.outcome is BootOutcome.BOOT_LOOP


@pytest.mark.parametrize(
    ("name", "outcome", "application", "told"),
    [
        ("dumps/at-512k.bin", BootOutcome.RUNNING, "ESP8266 AT", "its init data is at 0x07c000"),
        ("dumps/arduino-4m.bin", BootOutcome.RUNNING, "Tasmota 9.5.0.1", "compiled in"),
        ("dumps/micropython-1m.bin", BootOutcome.RUNNING, "MicroPython 1.19.1", "does not know"),
        ("dumps/rboot-1m.bin", BootOutcome.RUNNING, "rBoot", "does not know"),
        ("dumps/rtos3-1m.bin", BootOutcome.RUNNING, "the boot loader of the RTOS SDK", "does not know"),
        (
            "dumps/sdk-boot-1m.bin",
            BootOutcome.RUNNING,
            "non-OS SDK application",
            "its init data is at 0x0fc000",
        ),
        ("dumps/nodemcu-2.2-4m.bin", BootOutcome.RUNNING, "NodeMCU 2.2.0", "its init data is at 0x3fc000"),
        ("dumps/wiped-1m.bin", BootOutcome.HANGS, None, "not 0xe9"),
        ("v2/user1.bin", BootOutcome.HANGS, None, "0xea"),
        ("broken/bad-checksum.bin", BootOutcome.HANGS, None, "checksum"),
        ("broken/arduino-no-app.bin", BootOutcome.HANGS, None, "no application"),
        ("broken/seventeen-segments.bin", BootOutcome.RUNNING, None, "17 segments"),
    ],
)
def test_what_becomes_of_each_kind(
    name: str, outcome: BootOutcome, application: str | None, told: str
) -> None:
    run = start(flash(IMAGES[name]) if len(IMAGES[name]) < MB else IMAGES[name])

    assert (run.outcome, run.application) == (outcome, application)
    assert told in run.reason


@pytest.mark.parametrize(
    ("chip", "code", "outcome"),
    [
        (MB, 2, BootOutcome.RUNNING),
        (2 * MB, 3, BootOutcome.RUNNING),
        (2 * MB, 4, BootOutcome.RUNNING),
        (4 * MB, 4, BootOutcome.RUNNING),
        (16 * MB, 4, BootOutcome.RUNNING),
        (4 * MB, 2, BootOutcome.BOOT_LOOP),
        (16 * MB, 2, BootOutcome.BOOT_LOOP),
        (16 * MB, 9, BootOutcome.BOOT_LOOP),
    ],
)
def test_micropython_writes_init_data_as_for_4_mb(chip: int, code: int, outcome: BootOutcome) -> None:
    run = start(flash(IMAGES["micropython/micropython.bin"], chip, code=code))

    assert run.outcome is outcome
    assert b"Writing init data" in run.text()


@pytest.mark.parametrize(("name", "text"), [
    ("arduino/core-2.3.bin", b"chksum 0x3c\r\ncsum 0x3c\r\nv00000000\r\n~ld\n"),
    ("arduino/core-3.1.bin", b"chksum 0x2b\r\ncsum 0x2b\r\nv00008940\r\n~ld\r\n"),
    ("broken/arduino-no-app.bin", b"chksum 0x6b\r\ncsum 0x6b\r\nvffffffff\r\n~ld\n"),
])  # fmt: skip
def test_arduino_boot_loader(name: str, text: bytes) -> None:
    assert start(flash(IMAGES[name])).text().endswith(text)


def test_the_first_arduino_boot_loader_prints_no_version() -> None:
    # https://github.com/esp8266/Arduino/issues/1671
    image = BootImage(0, 0x20, 0x4010F29C, (Segment(0x4010F000, bytes(1264)),)).build()
    run = start(flash(image, puts={0x1000: IMAGES["arduino/core-2.3.bin"][0x1000:]}))

    assert run.text().endswith(b"csum 0xef\r\n~ld\n")


CHECK: Final = b"rf_cal[0] !=0x05,is 0x%02X\0"


@pytest.mark.parametrize(
    ("sdk", "program", "outcome", "told"),
    [
        ("2.2.1(6ab97e9)", CHECK, BootOutcome.BOOT_LOOP, "begins with 0xff"),
        (None, CHECK, BootOutcome.BOOT_LOOP, "begins with 0xff"),
        ("1.5.1(e67da894)", CHECK, BootOutcome.RUNNING, "of its own"),
        # The old RTOS SDK: https://github.com/HomeACcessoryKid/ESP8266-HomeKit/issues/20
        (
            "1.5.0-dev(488a5a6)",
            CHECK + b"OS SDK ver: %s compiled @ \0",
            BootOutcome.BOOT_LOOP,
            "begins with 0xff",
        ),
        ("3.0.6-dev(072755c)", CHECK, BootOutcome.RUNNING, "does not know"),
        ("2.2.1(6ab97e9)", b"", BootOutcome.RUNNING, "does not know whether"),
    ],
)
def test_which_sdk_needs_init_data(sdk: str | None, program: bytes, outcome: BootOutcome, told: str) -> None:
    firmware = Firmware("non-OS SDK application", sdk=sdk)
    stage = application_stage(BootFlash(memoryview(b"\xff" * MB)), 2, program, firmware)

    assert (stage.outcome, told in stage.reason) == (outcome, True)


def test_nodemcu_1_5_1_leaves_it_to_the_sdk() -> None:
    run = start(flash(SAMPLE.replace(b"NodeMCU 2.2.0", b"NodeMCU 1.5.1")), writes=True)

    assert (run.outcome, "of its own" in run.reason) == (BootOutcome.RUNNING, True)
    assert all(event.write is None for event in run.events)


def test_nodemcu_2_0_looks_for_2mb_c1_in_the_wrong_place() -> None:
    wrong = start(flash(SAMPLE.replace(b"NodeMCU 2.2.0", b"NodeMCU 2.0.0"), 4 * MB, code=5), writes=True)
    right = start(flash(SAMPLE, 4 * MB, code=5), writes=True)

    assert [event.write for event in wrong.events if event.write] == [(0x7FC000, SETS["v05"])]
    assert (wrong.outcome, "0x1fc000" in wrong.reason) == (BootOutcome.BOOT_LOOP, True)
    assert [event.write for event in right.events if event.write] == [(0x1FC000, SETS["v05"])]
    assert right.outcome is BootOutcome.RUNNING


def test_nodemcu_0_9_5_looks_at_eight_bytes_and_has_sizes_of_its_own() -> None:
    image = aggregate("nodemcu-0.9.5")
    run = start(flash(image, 0x80000, puts={0x7C004: b"\0"}), writes=True)
    assert all(event.write is None for event in run.events)

    run = start(flash(image, 8 * MB, code=5, puts={0x7FC000: SETS["v05"]}))
    assert run.reason == "its init data is at 0x7fc000"


PAGE_OF_DOCS: Final = (Path(__file__).parents[3] / "docs/virtual/boot.md").read_text(encoding="utf-8")
EXAMPLES: Final = re.findall(r"^% boot: (\S+)\n```text\n(.*?)^```$", PAGE_OF_DOCS, re.MULTILINE | re.DOTALL)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_examples_of_the_page(name: str, text: str) -> None:
    said = start(flash(IMAGES[name])).text()
    # The page ends its last line; the ROM does not end the one that it stops at.
    assert said.removesuffix(b"\r\n") == text.removesuffix("\n").encode().replace(b"\n", b"\r\n")


# --- laws -----------------------------------------------------------------------------------------


@given(st.binary(max_size=3000))
def test_any_bytes_boot_somehow(content: bytes) -> None:
    run = start(content, writes=True)

    assert run.text().startswith(BANNER)
    assert run.outcome in BootOutcome
    assert (run.next_cause is None) is (run.outcome is not BootOutcome.BOOT_LOOP)
    assert all(event.after_ns >= 0 for event in run.events)


@given(BOOT_IMAGES, st.binary(max_size=200))
def test_any_image_boots_somehow(image: BootImage, behind: bytes) -> None:
    assert start(image.build() + behind, writes=True).reason


KINDS: Final = st.sampled_from([0, 4, 5, 6, 101, 102, 103, 106])
ROWS: Final = st.lists(st.tuples(KINDS, st.integers(0, 1024), st.integers(0, 300)), max_size=9)


@pytest.mark.parametrize("name", ["nodemcu-3.0-2021", "sample"])
@settings(max_examples=40, deadline=None)
@given(code=BYTE, rows=ROWS, behind=st.binary(max_size=64))
def test_any_page_and_header_of_nodemcu(
    name: str, code: int, rows: list[tuple[int, int, int]], behind: bytes
) -> None:
    table = [(101, 0, 0xB000), (102, PAGE, 0), *((kind, a << 11, b << 12) for kind, a, b in rows)]
    content = bytearray(aggregate(name).ljust(0x4_0000, b"\xff"))
    content[3] = code
    content[PAGE : PAGE + SECTOR] = table_page(*table)
    place = PAGE + 4 + 12 * len(table)
    content[place : place + len(behind)] = behind

    assert start(bytes(content), writes=True).reason


@given(st.binary(min_size=8, max_size=300), st.integers(0, 5))
def test_damage_to_a_loader_flash(damage: bytes, sector: int) -> None:
    content = flash(LOADER, 0x4_0000, code=2, puts={0x1000: USER, sector * SECTOR: damage})

    assert start(content, writes=True).reason


def test_a_mapped_flash_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(IMAGES["dumps/nodemcu-2.2-4m.bin"])
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        run = boot(view, ResetCause.EXTERNAL)
        view.release()

    assert run == start(IMAGES["dumps/nodemcu-2.2-4m.bin"])


def test_words_of_the_header_are_read_little_endian() -> None:
    content = struct.pack("<BBBBI", 0xE9, 0, 0, 0x20, 0x40100000).ljust(15, b"\0") + b"\xef"

    # Without a segment the ROM checks nothing.
    assert start(flash(content)).text() == BANNER
