"""A board without a dump of the boot ROM: programs of a few instructions, served by imgtool's own functions.

The functions themselves are held to the real ones in tests/oracle, which needs a dump.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from imgtool.flash_parts import default_part
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.board.rom.functions import DATA, FUNCTIONS
from imgtool.virtual.board.rom.names import NAMES
from imgtool.virtual.board.session import Ending, FirmwareRun, Missing, run_firmware
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.cpu.core import DRAM_BASE, ROM

if TYPE_CHECKING:
    from collections.abc import Mapping

MB: Final = 1 << 20
CODE: Final = 0x4010_0000
TEXTS: Final = {0: b"%s: %03d|%x\n\0", 0x20: b"answer\0"}
# It prints the text, with two numbers, by ets_printf.
PRINTS: Final = (
    "060400000080fe3f2080fe3fcc240040efbe0000"
    "12c1f0 0901 21faff 31fbff 2ca4 51fbff 61faff c00600 0801 12c110 0df0"
)
# A task of priority 5 with room for two messages; three are posted, and printed by ets_run.
POSTS: Final = (
    "061200 00d00d0040240e00400090fe3f0080fe3f2080fe3fcc240040300010403df03df03df03df03df03df03df03df0"
    "12c1f0 0901 322201 21f6ff 41f6ff 51f6ff c00500 0801 12c110 0df0 00"
    "12c1f0 0901 21f2ff 0c53 41edff 0c25 61eaff c00600 0c52 0c03 0c74 51e8ff c00500"
    "0c52 0c03 0c84 51e5ff c00500 0c52 0c03 0c94 51e2ff c00500 0801 12c110 0df0"
)
CALLS_SOMETHING: Final = "06010000 fc500040 51ffff c00500 0df0"
READS_SOMETHING: Final = "06010000 28e30040 51ffff 2805 0df0"
IS_NONE: Final = "000000"


def image(code: str, data: bytes = b"") -> bytes:
    """A whole image with code that begins with its entry point, and data in DRAM."""
    words = bytes.fromhex(code)
    segments = [Segment(CODE, words.ljust(-(-len(words) // 4) * 4, b"\0"))]
    if data:
        segments.append(Segment(DRAM_BASE, data.ljust(-(-len(data) // 4) * 4, b"\0")))
    return BootImage(2, 0x40, CODE, tuple(segments)).build()


def texts(parts: Mapping[int, bytes]) -> bytes:
    found = bytearray(max(place + len(part) for place, part in parts.items()))
    for place, part in parts.items():
        found[place : place + len(part)] = part
    return bytes(found)


def ran(content: bytes, seconds: float = 20.0) -> FirmwareRun:
    store = MemoryStore(4 * MB)
    store.write(0, content.ljust(4 * MB, b"\xff"))
    return run_firmware(FirmwareChip(Setup(default_part(4 * MB), store), None), seconds)


def lines(run: FirmwareRun) -> list[str]:
    return run.log.decode().split("\r\n")


def test_an_image_is_loaded_prints_and_returns() -> None:
    run = ran(image(PRINTS, texts(TEXTS)))

    assert lines(run)[:4] == [
        "",
        " ets Jan  8 2013,rst cause:1, boot mode:(3,6)",
        "",
        "load 0x40100000, len 52, room 16 ",
    ]
    assert lines(run)[-4].startswith("csum 0x")
    assert lines(run)[-3:] == ["answer: 042|beef", "user code done", ""]
    assert (run.ending, run.boots, run.exceptions) == (Ending.QUIET, 1, {})


def test_messages_go_to_their_task() -> None:
    run = ran(image(POSTS, texts({0: b"got %d\n\0"})))

    # The third one has found the queue full.
    assert lines(run)[-4:] == ["user code done", "got 7", "got 8", ""]


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        (CALLS_SOMETHING, Missing("sip_post", 0x4000_50FC, CODE + 0xE)),
        (READS_SOMETHING, Missing("_rom_store_table", 0x4000_E328, CODE + 0xB)),
    ],
)
def test_what_is_not_there_ends_the_run_by_its_name(code: str, missing: Missing) -> None:
    run = ran(image(code))

    assert (run.ending, run.missing) == (Ending.MISSING, missing)


def test_no_instruction_is_an_exception_that_the_rom_tells() -> None:
    run = ran(image(IS_NONE))

    assert run.ending is Ending.REPEATS
    assert "Fatal exception (0): " in lines(run)
    assert (
        f"epc1=0x{CODE:08x}, epc2=0x00000000, epc3=0x00000000, excvaddr=0x00000000, depc=0x00000000"
        in lines(run)
    )


@pytest.mark.parametrize(
    ("content", "last"),
    [
        (b"", "ets_main.c "),
        (image(PRINTS)[:-1] + b"\0", "ets_main.c "),
        (image(PRINTS).replace(b"\xe9\x01", b"\xe8\x01", 1), "ets_main.c "),
    ],
    ids=["blank", "checksum", "no magic"],
)
def test_what_does_not_load_stops_as_on_the_chip(content: bytes, last: str) -> None:
    run = ran(content)

    assert (run.ending, lines(run)[-1]) == (Ending.STOPPED, last)


def test_two_runs_are_alike() -> None:
    one, other = (ran(image(POSTS, texts(TEXTS))) for _ in range(2))

    assert (one.log, one.instructions, one.seconds) == (other.log, other.instructions, other.seconds)


def test_each_function_stands_at_an_address_of_its_own() -> None:
    addresses = [function.address for function in FUNCTIONS]

    assert len(set(addresses)) == len(addresses)
    assert all(address in ROM for address in addresses)


def test_functions_are_called_what_the_linker_script_calls_them() -> None:
    others = {
        function.name: NAMES[function.address]
        for function in FUNCTIONS
        if function.address in NAMES and function.name != NAMES[function.address]
    }
    assert others == {}


def test_a_start_sets_words_of_the_roms_own_data() -> None:
    assert all(address % 4 == 0 and 0x3FFF_C000 <= address < 0x3FFF_EB30 for address in DATA)
