"""What a virtual ESP8266 does behind the boot ROM: the non-OS SDK, and applications on it but for NodeMCU.

Nothing is executed: firmware is known by its strings and its structure.  What of it was seen by running such
firmware, and what nobody has confirmed: docs/virtual/boot.md.  Not NodeMCU, which does more on its own
(boot_nodemcu.py), nor Espressif's boot loader (boot_loader.py).

What a release does is told here on purpose a second time, after the sources and not after
imgtool/layout/generations.py: what advise predicts is held against these boots, so neither may lean on the
other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, IROM_BASE, IROM_WINDOW, SECTOR, flash_size_of_code
from imgtool.formats.images import irom
from imgtool.formats.lx106 import pointers
from imgtool.formats.regions.init_data import SETS
from imgtool.virtual.chip.boot_stage import (
    BootEvent,
    BootFlash,
    BootOutcome,
    Stage,
    printed,
)

if TYPE_CHECKING:
    from imgtool.formats.reading import Firmware

__all__ = [
    "CHECKING_SDK",
    "INIT_DATA_FROM_END",
    "MARKER",
    "RF_CAL_FROM_END",
    "SDK_3",
    "SDK_NS",
    "application_stage",
    "code_problem",
    "end_of_flash",
    "found_init_data",
    "halt",
    "micropython_stage",
    "release_of",
    "sdk_lines",
]

SDK_NS: Final = 60_000_000
"""How long an SDK takes until it speaks; modelled, not measured."""

CHECKING_SDK: Final = (1, 5, 4, 1)
"""First SDK that halts on missing init data; https://github.com/nodemcu/nodemcu-firmware/pull/1500"""

SDK_3: Final = (3,)
"""First SDK that asks the program where its sectors are."""

MARKER: Final = 5
"""Byte 0 of init data."""

INIT_DATA_FROM_END: Final = 4 * SECTOR
_ROM_END: Final = 0x40_0000
RF_CAL_FROM_END: Final = 5  # sectors

_CHECK: Final = b"rf_cal[0] !=0x05,is "
_RTOS: Final = b"OS SDK ver: "  # the old RTOS SDK, which checks too and numbers its versions otherwise
_UNNAMED_4MB: Final = 7  # "32M 2048+2048": in the SDK's enum, without a name in any tool
_AT: Final = "ESP8266 AT"
_AT_RF_CAL_512K: Final = 8  # sectors from the end: AT sets the place of its RF calibration itself
_COMPILED: Final = re.compile(rb"\nSDK ver: %s compiled @ ([ -~]{8,40})\n\0")
# Numbers that are in the code of an SDK and nowhere in its strings.  All of them were seen.
_PHY: Final = {
    "2.0.0(656edbf)": "1055, pp ver: 10.2",
    "2.0.0(5a875ba)": "1055, pp ver: 10.2",
    "2.1.0(116b762)": "1134_0, pp ver: 10.2",
    "3.0.1-dev(fce080e)": "1145_0, pp ver: 10.2",
    "3.0.6-dev(072755c)": "1156_0, pp ver: 10.2",
}
# Two rows of the tables that SDK 3 programs carry: init data of a sector, then parameters of three; and the
# row of user2 that stands before them.
_PLACES: Final = re.compile(
    rb"\x03\0\0\0(.{4}).{4}\x04\0\0\0.{8}\x05\0\0\0(.{4})\0\x10\0\0\x06\0\0\0(.{4})\0\x30\0\0", re.DOTALL
)
_GONE: Final = 3  # pointers into erased sectors before the last code of a program: whole ones have none
_SHARE: Final = 4  # or every fourth of all


def end_of_flash(code: int) -> int | None:
    """Flash address behind the last byte by the size nibble, None where the SDK has no map for it."""
    if code == _UNNAMED_4MB:
        return 0x40_0000
    return next((size.bytes for size in FLASH_SIZES if size.code == code), None)


def release_of(sdk: str | None) -> tuple[int, ...]:
    """The numbers at the start of an SDK's version."""
    numbers = re.match(r"\d+(?:\.\d+)*", sdk or "")
    return () if numbers is None else tuple(int(number) for number in numbers[0].split("."))


def code_problem(chip: BootFlash, loaded: bytes, offset: int, code: bytes) -> str | None:
    """Why the code in flash of a program cannot run; None if nothing speaks against it.

    Args:
        chip: The flash.
        loaded: What was loaded to RAM: its words name functions in flash.
        offset: Flash address of the image.
        code: The code in flash that is part of the image, as in a version-2 image.
    """
    slot = irom.linked_user_slot(code) if code else None
    if slot is not None and slot != offset % IROM_WINDOW:
        return f"it is linked for 0x{slot:06x}, and its first call from here raises an exception"
    base = offset // IROM_WINDOW * IROM_WINDOW
    first = IROM_BASE + (offset % IROM_WINDOW or irom.OFFSETS[0])
    called = {base + address - IROM_BASE for address in pointers(loaded, first, IROM_BASE + IROM_WINDOW)}
    sectors = {address // SECTOR * SECTOR for address in called}
    gone = {sector for sector in sectors if chip.is_erased(sector, sector + SECTOR)}
    last = max(sectors - gone, default=0)
    lost = [address // SECTOR * SECTOR for address in called if address // SECTOR * SECTOR in gone]
    # Behind its last code a program may name a file system that is still erased.
    holes = [sector for sector in lost if sector < last]
    if len(holes) < _GONE and len(lost) * _SHARE < len(called):
        return None
    if not lost:
        return None
    return f"its code at 0x{min(lost):06x} is erased, and the first call to it raises an exception"


def application_stage(chip: BootFlash, code: int, program: bytes, firmware: Firmware) -> Stage:
    """The start of a firmware that is built on the non-OS SDK and leaves all to it.

    Args:
        chip: The flash.
        code: Size nibble of the image header.
        program: The part of the flash that holds the firmware.
        firmware: Which it is.
    """
    name = f"{firmware.name} {firmware.version or ''}".strip()
    return _application(chip, code, program, firmware)._replace(application=name)


def _application(chip: BootFlash, code: int, program: bytes, firmware: Firmware) -> Stage:
    end = end_of_flash(code)
    if end is None or code == 1:
        return Stage((), BootOutcome.RUNNING, f"no SDK says where its sectors are for flash size code {code}")
    if release_of(firmware.sdk) >= SDK_3:
        return _with_table(chip, code, program)
    address = end - INIT_DATA_FROM_END
    block = chip.read(address, 128)
    if not _checks(program, firmware):
        reason = "there is no init data, and imgtool does not know whether this firmware needs it"
        if () < release_of(firmware.sdk) < CHECKING_SDK:
            reason = "this SDK writes init data of its own where there is none"
        return Stage(
            (), BootOutcome.RUNNING, found_init_data(chip, address) if block[0] == MARKER else reason
        )
    if block[0] != MARKER:
        return halt(block, address)
    from_end = _AT_RF_CAL_512K if firmware.name == _AT and code == 0 else RF_CAL_FROM_END
    lines = sdk_lines(chip, program, firmware, end // SECTOR - from_end, block)
    return Stage(lines, BootOutcome.RUNNING, found_init_data(chip, address))


class _Places(NamedTuple):
    """A table in an SDK 3 program: flash addresses of its second slot, its init data, and the end of all."""

    user2: int
    init_data: int
    end: int


def _with_table(chip: BootFlash, code: int, program: bytes) -> Stage:
    """An SDK 3 application: the program brings a table for each map that it was built for."""
    tables = [
        _Places(user2, init_data, parameters + 3 * SECTOR)
        for user2, init_data, parameters in (
            (int.from_bytes(word, "little") for word in found.groups()) for found in _PLACES.finditer(program)
        )
    ]
    if not tables:
        reason = "SDK 3 firmware sets the place of its init data itself, and imgtool does not know where"
        return Stage((), BootOutcome.RUNNING, reason)
    size = flash_size_of_code(code)
    end, slot = (0, 0) if size is None else (size.bytes, size.ota_slot + SECTOR)
    # What it falls back to was seen with one program, which has tables for two maps.
    chosen = next(
        (row for row in tables if (row.end, row.user2) == (end, slot)), min(tables, key=lambda t: t.end)
    )
    if chosen.end > end:
        reason = f"its partition table ends at 0x{chosen.end:06x}, behind the flash that the header states"
        return Stage((), BootOutcome.BOOT_LOOP, reason)
    block = chip.read(chosen.init_data, 1)
    if block[0] == MARKER:
        return Stage((), BootOutcome.RUNNING, found_init_data(chip, chosen.init_data))
    reason = halt(block, chosen.init_data).reason
    return Stage((), BootOutcome.BOOT_LOOP, f"{reason}, and the program's partition table puts it there")


def micropython_stage(chip: BootFlash, code: int, name: str) -> Stage:
    """MicroPython: it writes init data by the size that the boot ROM goes by, its SDK looks by the header.

    For the boot ROM every flash has 4 MB, until the SDK has read the header; a smaller flash shows its bytes
    again behind its end.  So the real firmware did with the real ROM on 1, 2, 4 and 16 MB.

    Args:
        chip: The flash.
        code: Size nibble of the image header.
        name: What it calls itself.
    """
    events: list[BootEvent] = []
    place = (_ROM_END - INIT_DATA_FROM_END) % len(chip.flash)
    if chip.read(place, 1) != bytes((MARKER,)):
        events.append(BootEvent(SDK_NS, printed("Writing init data\n"), write=(place, SETS["v05"])))
        chip.write(place, SETS["v05"])
    end = end_of_flash(code)
    address = 0 if end is None else end - INIT_DATA_FROM_END
    block = chip.read(address, 1)
    if end is not None and block[0] != MARKER:
        why = halt(block, address).reason
        reason = f"{why}: MicroPython writes it to 0x{place:06x}, as if there were 4 MB"
        return Stage(tuple(events), BootOutcome.BOOT_LOOP, reason, application=name)
    reason = f"imgtool does not know what {name} prints"
    return Stage(tuple(events), BootOutcome.RUNNING, reason, application=name)


def _checks(program: bytes, firmware: Firmware) -> bool:
    if _CHECK not in program:
        return False
    release = release_of(firmware.sdk)
    return not release or release >= CHECKING_SDK or _RTOS in program


def halt(block: bytes, address: int) -> Stage:
    """What an SDK does that finds no init data: it says so, and restarts, for ever.

    Args:
        block: What it finds, at least a byte.
        address: Where.
    """
    text = printed(f"rf_cal[0] !=0x05,is 0x{block[0]:02X}\n")
    reason = f"the init data at 0x{address:06x} begins with 0x{block[0]:02x}, not 0x05"
    return Stage((BootEvent(SDK_NS, text),), BootOutcome.BOOT_LOOP, reason)


def found_init_data(chip: BootFlash, address: int) -> str:
    """A sentence on init data that is there."""
    length = max(1, len(chip.flash))
    if address < length:
        return f"its init data is at 0x{address:06x}"
    seen = address % length
    return f"its init data is read at 0x{address:06x}, where this smaller flash shows 0x{seen:06x} again"


def sdk_lines(
    chip: BootFlash, program: bytes, firmware: Firmware, sector: int, block: bytes
) -> tuple[BootEvent, ...]:
    """What an SDK prints when it has read its init data, as far as the strings for it are in the firmware.

    Args:
        chip: The flash.
        program: The firmware.
        firmware: Which it is.
        sector: The sector of its RF calibration.
        block: Its init data, 128 bytes.
    """
    # Seen with SDK 1.5.4.1 and later: https://esp8266.com/viewtopic.php?f=160&t=18711&view=print
    if b"rf cal sector: %d" not in program:
        return ()
    lines = [f"rf cal sector: {sector}"]
    if b"freq trace enable %d" in program:
        lines.append("freq trace enable 0")  # 1 with AT 1.4; what decides is not known
    lines += [f"rf[{number}] : {block[number]:02x}" for number in (112, 113, 114)]
    if b"w_flash\n" in program and chip.takes_calibration(sector):
        lines.append("w_flash")
    compiled = _COMPILED.search(program)
    if compiled is not None and firmware.sdk in _PHY:
        lines += ["", f"SDK ver: {firmware.sdk} compiled @ {compiled[1].decode('ascii')}"]
        lines += [f"phy ver: {_PHY[firmware.sdk]}", ""]
    return (BootEvent(SDK_NS, printed("\n".join(lines) + "\n")),)
