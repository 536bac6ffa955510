"""How NodeMCU starts, from 0.9 to 3.0: what it repairs, writes and formats before its prompt.

Nothing is executed: what a release does is told by its strings, after the sources and after runs of 0.9.2,
0.9.5, 2.1 and 3.0, see docs/virtual/boot.md.  It is told here on purpose a second time, and not after
imgtool/layout/generations.py: what advise predicts is held against these boots.

Not the SDK's own part (boot_sdk.py), nor whether a file system that is there can be read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.errors import FormatError, LayoutError, PartitionError
from imgtool.formats.filesystems import spiffs
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.init_data import SETS
from imgtool.formats.regions.nodemcu_page import PartitionTable, Record, RecordPage
from imgtool.layout.nodemcu import resolve
from imgtool.virtual.chip.boot_sdk import (
    CHECKING_SDK,
    INIT_DATA_FROM_END,
    MARKER,
    RF_CAL_FROM_END,
    SDK_3,
    SDK_NS,
    end_of_flash,
    found_init_data,
    halt,
    sdk_lines,
)
from imgtool.virtual.chip.boot_stage import (
    ERASE_NS,
    ERASED,
    SDK_BAUD,
    BootEvent,
    BootFlash,
    BootOutcome,
    Stage,
    printed,
)

if TYPE_CHECKING:
    from imgtool.formats.reading import Firmware

__all__ = ["nodemcu_stage"]

# Modelled, not measured.
_APPLICATION_NS: Final = 150_000_000
_MOUNT_NS: Final = 100_000_000
_RESET_NS: Final = 5_000_000  # ets_delay_us(5000) in its first_time_setup()
_OLD_BAUD: Final = 9_600  # 0.9.x and 1.4.0

_WITH_SDK_0_9_5: Final = (0, 9, 5)
_WRITES_FIRST: Final = (1, 4)  # 1.4.0 writes init data before the SDK starts, with byte 107 set
_VDD33: Final = 107
_PAGE: Final = 0x1_0000
_LUA: Final = b"powered by Lua "
_CODE: Final = 0x1_0000  # where its init data is compiled in, below irom
_NO_BOOT: Final = b"boot not set\nota1 not set\nota2 not set\n"
_BANNER: Final = 2048  # bytes that hold it
_LEAST_NODEMCU_3: Final = 0x10_0000
_LEAST_0_9_2: Final = 0x20_0000
_ADJUSTS: Final = b"Self adjust flash size.\n"
_RESTORES: Final = b"Restore init data.\n"
_FORMATS: Final = b"Formatting file system. Please wait...\n"
_PROMPT: Final = b"lua: cannot open init.lua\n> "
_DOT: Final = 0x1_0000  # bytes that 3.0 formats for each dot
_FIRST_BLOCKS: Final = 0x2_0000  # enough of a file system to know it by
# A file system has something in its last block, whatever its geometry: this much erased is none.
_NO_FILES: Final = 0x1_0000
# The nibble that it writes for the size of the chip; 0.9.x numbers the large ones in its own way.
_CODES: Final = {0x8_0000: 0, 0x10_0000: 2, 0x20_0000: 3, 0x40_0000: 4, 0x80_0000: 8, 0x100_0000: 9}
_OLD_CODES: Final = _CODES | {0x80_0000: 5, 0x100_0000: 6}


class _Files(NamedTuple):
    """A file system: whether it is formatted now, and its size where dots tell of that."""

    formats: bool
    size: int = 0


def nodemcu_stage(chip: BootFlash, code: int, program: bytes, firmware: Firmware) -> Stage:
    """The start of a NodeMCU firmware.

    Args:
        chip: The flash.
        code: Size nibble of the image header.
        program: The part of the flash that holds the firmware.
        firmware: Which release.
    """
    page = nodemcu_page.page_at(chip.head(_PAGE + SECTOR), _PAGE)
    if page is not None or firmware.release >= SDK_3:
        stage = _nodemcu_3(chip, code, page, program, firmware)
    else:
        stage = _nodemcu(chip, code, program, firmware)
    return stage._replace(application=f"{firmware.name} {firmware.version or ''}".strip())


# Before 3.0; the table of first boots: docs/flash-layouts.md.


def _nodemcu(chip: BootFlash, code: int, program: bytes, firmware: Firmware) -> Stage:
    release = firmware.release
    old = release < (1,)
    # 0.9.x numbers the sizes in its own way: 5 is 8 MB and 6 is 16 MB.
    end = {5: 0x80_0000, 6: 0x100_0000}.get(code) if old else None
    end = end_of_flash(code) if end is None else end
    if end is None or (code == 1 and release < CHECKING_SDK):
        return Stage((), BootOutcome.RUNNING, f"no SDK says where its sectors are for flash size code {code}")
    if old:
        return _nodemcu_0(chip, end, program, firmware)
    if release < CHECKING_SDK:
        return _nodemcu_1(chip, end, program, firmware)
    address = end - INIT_DATA_FROM_END
    events: list[BootEvent] = []
    reason = ""
    # The whole block tells it from the SDK's own default, which differs in byte 112.
    own = SETS["v05"] if SETS["v05"] in program[:_CODE] else None
    tested = _address_of_test(code, release, address)
    if own is not None and chip.read(tested, 4) == ERASED * 4:
        events.append(BootEvent(ERASE_NS, write=(tested, own)))
        chip.write(tested, own)
        reason = f"NodeMCU writes its init data to 0x{tested:06x}, which is erased"
    block = chip.read(address, 128)
    if block[0] != MARKER:
        stage = halt(block, address)
        why = (
            "and this release writes none itself" if own is None else "and NodeMCU only repairs erased flash"
        )
        # With a header for 256 KB the SDK's parameters lie in code, and lines come before that are not known.
        said = stage.events if code != 1 else ()
        return stage._replace(events=(*events, *said), reason=f"{stage.reason}, {why}")
    events += sdk_lines(chip, program, firmware, end // SECTOR - RF_CAL_FROM_END, block)
    adjusted = _adjusted(chip, end, program, _CODES) if own is not None else None
    if adjusted is not None:
        text = printed(b"\n" + _ADJUSTS)
        events.append(BootEvent(_APPLICATION_NS, text, SDK_BAUD, write=(0, adjusted)))
        reason = (
            f"NodeMCU finds a chip of {len(chip.flash):,} bytes, writes that to the image header and restarts"
        )
        return Stage(tuple(events), None, reason, baud=SDK_BAUD)
    last = end - RF_CAL_FROM_END * SECTOR
    files = _Files(_FORMATS in program and chip.is_erased(last - _NO_FILES, last))
    events += _prompt(program, firmware, files)
    return Stage(tuple(events), BootOutcome.RUNNING, reason or found_init_data(chip, address))


def _adjusted(chip: BootFlash, end: int, program: bytes, codes: dict[int, int]) -> bytes | None:
    """The first sector with the size of the chip in its header; None where nothing is to be changed."""
    size = len(chip.flash)
    if _ADJUSTS not in program or size == end or size not in codes:
        return None
    sector = bytearray(chip.read(0, SECTOR))
    sector[3] = codes[size] << 4 | sector[3] & 0x0F
    return bytes(sector)


def _prompt(program: bytes, firmware: Firmware, files: _Files) -> tuple[BootEvent, ...]:
    """What NodeMCU 1.5.4.1 and later says of its file system, its banner, and its prompt if that is known."""
    said, rest = b"\n", b""
    if files.formats:
        said += _FORMATS
        rest = _PROMPT
    dots = b"." * (files.formats * -(-files.size // _DOT))
    banner = dots + _banner(program, firmware) + printed(rest)
    return (
        BootEvent(_APPLICATION_NS, printed(said), SDK_BAUD),
        BootEvent(_MOUNT_NS, banner, SDK_BAUD),
    )


def _nodemcu_0(chip: BootFlash, end: int, program: bytes, firmware: Firmware) -> Stage:
    """NodeMCU 0.9.x, whose SDK starts without init data as well."""
    if firmware.release < _WITH_SDK_0_9_5:
        reason = "this release writes no init data, and its SDK starts without"
        if end < _LEAST_0_9_2:
            reason += "; where it is built for 2 MB it says much of a smaller flash, which is not modelled"
            return Stage((), BootOutcome.RUNNING, reason)
        banner = BootEvent(_APPLICATION_NS, _banner(program, firmware), _OLD_BAUD)
        return Stage((banner,), BootOutcome.RUNNING, reason)
    events = [BootEvent(SDK_NS, printed("\n"))]
    said = b"\n"
    size = len(chip.flash)
    reason = found_init_data(chip, end - INIT_DATA_FROM_END)
    adjusted = _adjusted(chip, end, program, _OLD_CODES)
    if adjusted is not None:
        said += _ADJUSTS
        events.append(BootEvent(ERASE_NS, write=(0, adjusted)))
        chip.write(0, adjusted)
    address = (end if adjusted is None else size) - INIT_DATA_FROM_END
    # Its const data is in flash, where nothing can be read while the flash is written: what real chips get is
    # not known.  The sectors are.
    if _RESTORES in program and chip.read(address, 8) == ERASED * 8:
        if adjusted is None or size > end:  # the adjusting has written it already to a smaller flash
            said += _RESTORES
        for write in ((address, SETS["SDK 0.9"]), (address + 2 * SECTOR, b""), (address + 3 * SECTOR, b"")):
            events.append(BootEvent(ERASE_NS, write=write))
            chip.write(*write)
        reason = f"NodeMCU writes its init data to 0x{address:06x}, which is erased"
    elif chip.read(address, 1)[0] != MARKER:
        reason = "this SDK starts without init data"
    events.append(BootEvent(_APPLICATION_NS, printed(said) + _banner(program, firmware), _OLD_BAUD))
    return Stage(tuple(events), BootOutcome.RUNNING, reason)


def _nodemcu_1(chip: BootFlash, end: int, program: bytes, firmware: Firmware) -> Stage:
    """NodeMCU 1.4.0 and 1.5.1; no such release was run."""
    address, last = end - INIT_DATA_FROM_END, end - SECTOR
    first = firmware.release[:2] == _WRITES_FIRST
    reason = "this SDK writes init data of its own where there is none"
    if chip.read(address, 1)[0] == MARKER:
        reason = found_init_data(chip, address)
    if first and chip.read(address, 4) == ERASED * 4:
        own = SETS["SDK 0.9"]
        own = own[:_VDD33] + ERASED + own[_VDD33 + 1 :]
        writes = (address, own), (last - SECTOR, b""), (last, b"")
        events = tuple(BootEvent(ERASE_NS, write=write) for write in writes)
        reason = f"NodeMCU writes its init data to 0x{address:06x}, which is erased, and restarts"
        return Stage(events, None, reason)
    banner = BootEvent(_APPLICATION_NS, _banner(program, firmware), _OLD_BAUD if first else SDK_BAUD)
    return Stage((banner,), BootOutcome.RUNNING, reason)


def _address_of_test(code: int, release: tuple[int, ...], address: int) -> int:
    """Where NodeMCU looks for its init data before the SDK does."""
    # 1.5.4.1-20161201 and 2.0.0 take the nibble for a power of two also where it is none.
    if release < (2, 1) and code >= 5:  # noqa: PLR2004 - the first nibble out of order
        return (0x4_0000 << code) - INIT_DATA_FROM_END
    return address


# From 3.0 on: user_pre_init() of app/user/user_main.c in nodemcu-firmware.


def _nodemcu_3(
    chip: BootFlash, code: int, page: RecordPage | None, program: bytes, firmware: Firmware
) -> Stage:
    size = end_of_flash(code)
    if size is None:
        return Stage((), BootOutcome.HANGS, f"flash size code {code} is outside NodeMCU's list of sizes")
    if size < _LEAST_NODEMCU_3:
        # With a header for 256 KB lines of the SDK come before, see above.
        text = f"Flash size ({size}) too small to support NodeMCU\n" if code != 1 else ""
        return _without_table(
            chip, text, "the header says less than 1 MB, and NodeMCU gives the SDK no table"
        )
    greeting = f"system SPI FI size:{code}, Flash size: {size}\n"
    table = None if page is None else page.table
    if page is None or table is None:
        reason = "there is no partition table at 0x10000, and the SDK gets none"
        return _without_table(chip, greeting + "E:M -1\n", reason)
    try:
        done = resolve(table, size, _PAGE)
    except LayoutError as error:
        text = "Invalid system partition table\n"
        if not table.resolved:
            text = f"Partition {_index_of(table, error)} invalid alignment\n"
        reason = f"NodeMCU stops at its partition table: {error}"
        return Stage((BootEvent(SDK_NS, printed(greeting + text)),), BootOutcome.HANGS, reason)
    event = BootEvent(SDK_NS, printed(greeting))
    if not table.resolved:
        record = Record(0, nodemcu_page.TABLE, nodemcu_page.table_payload(done))
        write = BootEvent(ERASE_NS, write=(_PAGE, _with_record(page, record)))
        # A jump to the ROM's reset handler: the cause of the last reset stands.
        reason = "NodeMCU resolves its partition table and restarts"
        return Stage((event, write, BootEvent(_RESET_NS)), None, reason)
    return _with_init_data(chip, page, done, event, (program, firmware))


def _without_table(chip: BootFlash, text: str, reason: str) -> Stage:
    """The SDK takes the start of the flash for its init data, and restarts for ever."""
    stage = halt(chip.read(0, 1), 0)
    events = (BootEvent(SDK_NS, printed(text)), *stage.events) if text else ()
    return stage._replace(events=events, reason=f"{reason}: it looks for its init data at 0 and restarts")


def _with_init_data(
    chip: BootFlash,
    page: RecordPage,
    table: PartitionTable,
    greeting: BootEvent,
    what: tuple[bytes, Firmware],
) -> Stage:
    """NodeMCU 3 with a resolved table: its init data, then the SDK, then its file system."""
    program, firmware = what
    phy, rf_cal = table.find(nodemcu_page.INIT_DATA), table.find(nodemcu_page.RF_CAL)
    if phy is None or rf_cal is None:
        reason = "the partition table has no init data or RF calibration, and the SDK's answer is not known"
        return Stage((greeting,), BootOutcome.HANGS, reason)
    events = [greeting]
    reason = found_init_data(chip, phy.address)
    seen = any(record.id == nodemcu_page.PHY_DATA_DONE for record in page.records)
    if not seen:
        if chip.read(phy.address, 1)[0] != MARKER:
            text = printed(f"Writing Init Data to 0x{phy.address:08x}\n")
            events.append(BootEvent(ERASE_NS, text, write=(phy.address, SETS["v05"])))
            chip.write(phy.address, SETS["v05"])
            reason = f"NodeMCU writes its init data to 0x{phy.address:06x}"
        record = Record(0, nodemcu_page.PHY_DATA_DONE, b"")
        events.append(BootEvent(0, write=(_PAGE, _with_record(page, record))))
    events.append(BootEvent(0, printed(_NO_BOOT)))
    block = chip.read(phy.address, 128)
    if block[0] != MARKER:
        stage = halt(block, phy.address)
        why = "and NodeMCU has noted that it was set up before"
        return stage._replace(events=(*events, *stage.events), reason=f"{stage.reason}, {why}")
    events += sdk_lines(chip, program, firmware, rf_cal.address // SECTOR, block)
    files = table.find(nodemcu_page.SPIFFS0)
    if files is None:
        events.append(BootEvent(_APPLICATION_NS, _banner(program, firmware), SDK_BAUD))
        return Stage(tuple(events), BootOutcome.RUNNING, reason)
    start = chip.read(files.address, min(files.size, _FIRST_BLOCKS))
    formats = _FORMATS in program and spiffs.signature_at(start) is None
    end = files.address + files.size
    if formats and end > len(chip.flash):
        # It erases addresses that the chip does not have, which are its first ones again.
        events.append(BootEvent(_APPLICATION_NS, printed(b"\n" + _FORMATS), SDK_BAUD))
        reason = f"NodeMCU formats up to 0x{end:06x} on a smaller chip, and so erases itself"
        return Stage(tuple(events), BootOutcome.HANGS, reason)
    events += _prompt(program, firmware, _Files(formats, files.size))
    return Stage(tuple(events), BootOutcome.RUNNING, reason)


def _with_record(page: RecordPage, record: Record) -> bytes:
    """The record page with one record more; an older one of its kind is struck out, as NodeMCU does it."""
    struck = tuple(
        Record(old.offset, nodemcu_page.DELETED if old.id == record.id else old.id, old.payload)
        for old in page.records
    )
    kept = tuple(old for old in struck if old.id != nodemcu_page.DELETED)
    # A full page is erased, and what counts is written again.
    for records in ((*struck, record), (*kept, record)):
        try:
            return RecordPage(records).build()
        except FormatError:
            continue
    return page.build()


def _index_of(table: PartitionTable, error: LayoutError) -> int:
    if not isinstance(error, PartitionError):
        return 0
    return next((at for at, entry in enumerate(table.entries) if entry.name == error.partition), 0)


def _banner(program: bytes, firmware: Firmware) -> bytes:
    """NodeMCU's banner, put together from the strings of its image."""
    for found in re.finditer(rb"\n?NodeM(?:CU|cu) (?:\d|custom build)", program):
        text = program[found.start() : found.start() + _BANNER]
        lua = text.find(_LUA)
        if lua >= 0:
            end = text.find(b"\0", lua)
            text = text[: end if end >= 0 else len(text)].replace(b"\0", b"")
            sdk = (firmware.sdk or "").encode("ascii", "replace")
            text = (
                text.replace(b"%s", sdk) if b"%s" in text else text + (sdk if text.endswith(b"SDK ") else b"")
            )
            return printed(b"\n" + text.strip(b"\n") + b"\n")
    return b""
