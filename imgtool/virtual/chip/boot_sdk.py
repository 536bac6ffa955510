"""What a virtual ESP8266 does behind the boot ROM: the non-OS SDK's look at its init data, and NodeMCU.

Also the values that :mod:`imgtool.virtual.chip.boot` speaks in, and the flash as the chip sees it.  Nothing
is executed: firmware is known by its strings and its structure.  What is emulated, and what of it nobody has
confirmed on silicon: docs/virtual/boot.md.

What a release does is told here on purpose a second time, after the sources and not after
imgtool/layout/generations.py: what advise predicts is held against these boots, so neither may lean on the
other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import FormatError, LayoutError, PartitionError
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.init_data import SETS
from imgtool.formats.regions.nodemcu_page import PartitionTable, Record, RecordPage
from imgtool.layout.nodemcu import resolve

if TYPE_CHECKING:
    from imgtool.formats.logs.boots import ResetCause
    from imgtool.formats.reading import Firmware

__all__ = ["BootEvent", "BootFlash", "BootOutcome", "Stage", "end_of_flash", "sdk_stage"]

ROM_BAUD: Final = 74_880
"""What the ROM's divider gives on a 26 MHz crystal; the ROM takes it for 115200 on one of 40 MHz."""

# Modelled delays, none of them measured.
SDK_NS: Final = 60_000_000
_APPLICATION_NS: Final = 150_000_000
ERASE_NS: Final = 45_000_000  # a sector and the write behind it
_NODEMCU_RESET_NS: Final = 5_000_000  # ets_delay_us(5000) in NodeMCU's first_time_setup()

_NEW_BAUD: Final = 115_200
_OLD_BAUD: Final = 9_600  # NodeMCU 0.9.x and 1.4.0

# First SDK that halts on missing init data; https://github.com/nodemcu/nodemcu-firmware/pull/1500
_CHECKING_SDK: Final = (1, 5, 4, 1)
_SDK_3: Final = (3,)
_CHECK: Final = b"rf_cal[0] !=0x05,is "
_RTOS: Final = b"OS SDK ver: "  # the old RTOS SDK, which checks too and numbers its versions otherwise

_WRITES_FIRST: Final = (1, 4)  # NodeMCU 1.4.0 writes it before the SDK starts, with byte 107 set
_VDD33: Final = 107
_MARKER: Final = 5  # byte 0 of init data
_INIT_DATA_FROM_END: Final = 4 * SECTOR
_RF_CAL_FROM_END: Final = 5
_PAGE: Final = 0x1_0000
_ERASED: Final = b"\xff"
_LUA: Final = b"powered by Lua "
_NODEMCU_CODE: Final = 0x1_0000  # where its init data is compiled in, below irom
_NO_BOOT: Final = b"boot not set\nota1 not set\nota2 not set\n"
_BANNER: Final = 2048  # bytes that hold it
_UNNAMED_4MB: Final = 7  # "32M 2048+2048": in the SDK's enum, without a name in any tool
_LEAST_NODEMCU_3: Final = 0x10_0000


class BootOutcome(StrEnum):
    """How a boot ends: an application runs on, it resets itself again and again, or nothing happens."""

    RUNNING = "running"
    BOOT_LOOP = "boot-loop"
    HANGS = "hangs"


@dataclass(frozen=True, slots=True)
class BootEvent:
    """One thing that happens while a chip boots.

    Attributes:
        after_ns: Modelled delay before it, ns; without the time that the text takes on the wire.
        text: What is sent.
        baud: At which rate.
        write: Flash address and bytes that are written there; the sectors are erased first, so no bytes
            mean that one sector is erased.
    """

    after_ns: int
    text: bytes = b""
    baud: int = ROM_BAUD
    write: tuple[int, bytes] | None = None


@dataclass
class BootFlash:
    """A flash as the ESP8266 reads it: addresses behind its end read from its start again.

    That they wrap is what flash chips do with the address bits that they do not have; the SDK goes by the
    size in the image header, so a chip smaller than that is read in mirrors.

    Attributes:
        flash: Its content.
        sectors: What was written since, by sector number.
    """

    flash: memoryview
    sectors: dict[int, bytes] = field(default_factory=dict)

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes from ``address``; all ones if there is no flash."""
        length = len(self.flash)
        if length == 0:
            return _ERASED * size
        blocks: list[bytes] = []
        while size > 0:
            address %= length
            sector, offset = divmod(address, SECTOR)
            count = min(size, SECTOR - offset, length - address)
            written = self.sectors.get(sector)
            source = self.flash[address : address + count]
            blocks.append(bytes(source) if written is None else written[offset : offset + count])
            address += count
            size -= count
        return b"".join(blocks)

    def write(self, address: int, data: bytes) -> None:
        """Erase the sectors from ``address`` on that ``data`` needs, at least one, and write it."""
        for start in range(0, max(1, len(data)), SECTOR):
            sector = (address + start) % max(1, len(self.flash)) // SECTOR
            self.sectors[sector] = data[start : start + SECTOR].ljust(SECTOR, _ERASED)

    def head(self, size: int) -> bytes:
        """Its first bytes, each once."""
        return self.read(0, min(size, len(self.flash)))


class Stage(NamedTuple):
    """How a stage of the boot ends.

    Attributes:
        events: What happens, in order.
        outcome: How it ends; None if the chip restarts now.
        reason: Why, as a sentence without a full stop.
        cause: Cause of the restart, None for the same as before.
        application: The firmware that was started.
        rounds: The word that boot loader 1.7 counts its starts with, in memory that outlives the restart.
            After power-on it is 0 here; what a chip has there then is not known.
    """

    events: tuple[BootEvent, ...]
    outcome: BootOutcome | None
    reason: str
    cause: ResetCause | None = None
    application: str | None = None
    rounds: int = 0


def printed(text: str | bytes) -> bytes:
    """A text as the ROM's and the SDK's printf send it: each line ends in CR LF."""
    raw = text.encode("ascii") if isinstance(text, str) else text
    return raw.replace(b"\n", b"\r\n")


def end_of_flash(code: int) -> int | None:
    """Flash address behind the last byte by the size nibble, None where the SDK has no map for it."""
    if code == _UNNAMED_4MB:
        return 0x40_0000
    return next((size.bytes for size in FLASH_SIZES if size.code == code), None)


def sdk_stage(chip: BootFlash, code: int, program: bytes, firmware: Firmware) -> Stage:
    """The start of a firmware that is built on the non-OS SDK.

    Args:
        chip: The flash.
        code: Size nibble of the image header.
        program: The part of the flash that holds the firmware.
        firmware: Which it is.
    """
    name = f"{firmware.name} {firmware.version or ''}".strip()
    if firmware.name == "NodeMCU":
        page = nodemcu_page.page_at(chip.head(_PAGE + SECTOR), _PAGE)
        if page is not None or firmware.release >= _SDK_3:
            stage = _nodemcu_3(chip, code, page, program, firmware)
        else:
            stage = _nodemcu(chip, code, program, firmware)
    else:
        stage = _plain(chip, code, program, firmware)
    return stage._replace(application=name)


def _plain(chip: BootFlash, code: int, program: bytes, firmware: Firmware) -> Stage:
    end = end_of_flash(code)
    if end is None or code == 1:
        return Stage((), BootOutcome.RUNNING, f"no SDK says where its sectors are for flash size code {code}")
    address = end - _INIT_DATA_FROM_END
    block = chip.read(address, 128)
    if not _checks(program, firmware):
        reason = "there is no init data, and imgtool does not know whether this firmware needs it"
        if () < _release(firmware.sdk) < _CHECKING_SDK:
            reason = "this SDK writes init data of its own where there is none"
        return Stage((), BootOutcome.RUNNING, _found(chip, address) if block[0] == _MARKER else reason)
    if block[0] == _MARKER:
        sector = end // SECTOR - _RF_CAL_FROM_END
        return Stage(_rf_lines(program, sector, block), BootOutcome.RUNNING, _found(chip, address))
    if _release(firmware.sdk) >= _SDK_3:
        reason = (
            "an SDK 3 firmware sets the place of its init data in its own code, which imgtool does not know"
        )
        return Stage((), BootOutcome.RUNNING, reason)
    return _halt(block, address)


def _nodemcu(chip: BootFlash, code: int, program: bytes, firmware: Firmware) -> Stage:
    """NodeMCU before 3.0; its table of first boots: docs/flash-layouts.md."""
    release = firmware.release
    old = release < (1,)
    # 0.9.x numbers the sizes in its own way: 5 is 8 MB and 6 is 16 MB.
    end = {5: 0x80_0000, 6: 0x100_0000}.get(code) if old else None
    end = end_of_flash(code) if end is None else end
    if end is None or code == 1:
        return Stage((), BootOutcome.RUNNING, f"no SDK says where its sectors are for flash size code {code}")
    address = end - _INIT_DATA_FROM_END
    if release < _CHECKING_SDK:
        return _nodemcu_old(chip, end, program, firmware)
    events: list[BootEvent] = []
    reason = ""
    # The whole block tells it from the SDK's own default, which differs in byte 112.
    own = SETS["v05"] if SETS["v05"] in program[:_NODEMCU_CODE] else None
    tested = _address_of_test(code, release, address)
    if own is not None and chip.read(tested, 4) == _ERASED * 4:
        events.append(BootEvent(ERASE_NS, write=(tested, own)))
        chip.write(tested, own)
        reason = f"NodeMCU writes its init data to 0x{tested:06x}, which is erased"
    block = chip.read(address, 128)
    if block[0] != _MARKER:
        stage = _halt(block, address)
        why = (
            "and this release writes none itself" if own is None else "and NodeMCU only repairs erased flash"
        )
        return stage._replace(events=(*events, *stage.events), reason=f"{stage.reason}, {why}")
    sector = end // SECTOR - _RF_CAL_FROM_END
    banner = BootEvent(_APPLICATION_NS, _banner(program, firmware), _NEW_BAUD)
    return Stage(
        (*events, *_rf_lines(program, sector, block), banner),
        BootOutcome.RUNNING,
        reason or _found(chip, address),
    )


def _nodemcu_old(chip: BootFlash, end: int, program: bytes, firmware: Firmware) -> Stage:
    """NodeMCU 0.9 to 1.5.1, whose SDK starts without init data as well."""
    address, last = end - _INIT_DATA_FROM_END, end - SECTOR
    old = firmware.release < (1,)
    first = firmware.release[:2] == _WRITES_FIRST
    reason = "this SDK writes init data of its own where there is none"
    if chip.read(address, 1)[0] == _MARKER:
        reason = _found(chip, address)
    events: tuple[BootEvent, ...] = ()
    tested = 8 if old else 4
    if (old or first) and chip.read(address, tested) == _ERASED * tested:
        own = SETS["SDK 0.9"]
        if first:
            own = own[:_VDD33] + _ERASED + own[_VDD33 + 1 :]
        writes = (address, own), (last - SECTOR, b""), (last, b"")
        events = tuple(BootEvent(ERASE_NS, write=write) for write in writes)
        reason = f"NodeMCU writes its init data to 0x{address:06x}, which is erased"
    if events and first:
        return Stage(events, None, reason + " and restarts")
    banner = BootEvent(_APPLICATION_NS, _banner(program, firmware), _OLD_BAUD if old or first else _NEW_BAUD)
    return Stage((*events, banner), BootOutcome.RUNNING, reason)


def _address_of_test(code: int, release: tuple[int, ...], address: int) -> int:
    """Where NodeMCU looks for its init data before the SDK does."""
    # 1.5.4.1-20161201 and 2.0.0 take the nibble for a power of two also where it is none.
    if release < (2, 1) and code >= 5:  # noqa: PLR2004 - the first nibble out of order
        return (0x4_0000 << code) - _INIT_DATA_FROM_END
    return address


def _nodemcu_3(
    chip: BootFlash, code: int, page: RecordPage | None, program: bytes, firmware: Firmware
) -> Stage:
    """NodeMCU from 3.0 on: user_pre_init() of app/user/user_main.c in nodemcu-firmware."""
    size = end_of_flash(code)
    if size is None:
        return Stage((), BootOutcome.HANGS, f"flash size code {code} is outside NodeMCU's list of sizes")
    if size < _LEAST_NODEMCU_3:
        text = f"Flash size ({size}) too small to support NodeMCU\n"
        reason = "the header says less than 1 MB, and the SDK halts without a partition table"
        return Stage((BootEvent(SDK_NS, printed(text)),), BootOutcome.HANGS, reason)
    greeting = printed(f"system SPI FI size:{code}, Flash size: {size}\n")
    table = None if page is None else page.table
    if page is None or table is None:
        reason = "there is no partition table at 0x10000, and the SDK halts without one"
        return Stage((BootEvent(SDK_NS, greeting),), BootOutcome.HANGS, reason)
    try:
        done = resolve(table, size, _PAGE)
    except LayoutError as error:
        text = "Invalid system partition table\n"
        if not table.resolved:
            text = f"Partition {_index_of(table, error)} invalid alignment\n"
        reason = f"NodeMCU stops at its partition table: {error}"
        return Stage((BootEvent(SDK_NS, greeting + printed(text)),), BootOutcome.HANGS, reason)
    if not table.resolved:
        record = Record(0, nodemcu_page.TABLE, nodemcu_page.table_payload(done))
        write = BootEvent(ERASE_NS, write=(_PAGE, _with_record(page, record)))
        # A jump to the ROM's reset handler: the cause of the last reset stands.
        reason = "NodeMCU resolves its partition table and restarts"
        return Stage((BootEvent(SDK_NS, greeting), write, BootEvent(_NODEMCU_RESET_NS)), None, reason)
    return _with_init_data(chip, page, done, greeting, (program, firmware))


def _with_init_data(
    chip: BootFlash, page: RecordPage, table: PartitionTable, greeting: bytes, what: tuple[bytes, Firmware]
) -> Stage:
    """NodeMCU 3 with a resolved table: its init data, then the SDK."""
    program, firmware = what
    phy, rf_cal = table.find(nodemcu_page.INIT_DATA), table.find(nodemcu_page.RF_CAL)
    if phy is None or rf_cal is None:
        reason = "the partition table has no init data or RF calibration, and the SDK's answer is not known"
        return Stage((BootEvent(SDK_NS, greeting),), BootOutcome.HANGS, reason)
    events = [BootEvent(SDK_NS, greeting)]
    reason = _found(chip, phy.address)
    seen = any(record.id == nodemcu_page.PHY_DATA_DONE for record in page.records)
    if not seen:
        if chip.read(phy.address, 1)[0] != _MARKER:
            text = printed(f"Writing Init Data to 0x{phy.address:08x}\n")
            events.append(BootEvent(ERASE_NS, text, write=(phy.address, SETS["v05"])))
            chip.write(phy.address, SETS["v05"])
            reason = f"NodeMCU writes its init data to 0x{phy.address:06x}"
        record = Record(0, nodemcu_page.PHY_DATA_DONE, b"")
        events.append(BootEvent(0, write=(_PAGE, _with_record(page, record))))
    events.append(BootEvent(0, printed(_NO_BOOT)))
    block = chip.read(phy.address, 128)
    if block[0] != _MARKER:
        stage = _halt(block, phy.address)
        why = "and NodeMCU has noted that it was set up before"
        return stage._replace(events=(*events, *stage.events), reason=f"{stage.reason}, {why}")
    events += _rf_lines(program, rf_cal.address // SECTOR, block)
    events.append(BootEvent(_APPLICATION_NS, _banner(program, firmware), _NEW_BAUD))
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


def _checks(program: bytes, firmware: Firmware) -> bool:
    if _CHECK not in program:
        return False
    release = _release(firmware.sdk)
    return not release or release >= _CHECKING_SDK or _RTOS in program


def _release(sdk: str | None) -> tuple[int, ...]:
    numbers = re.match(r"\d+(?:\.\d+)*", sdk or "")
    return () if numbers is None else tuple(int(number) for number in numbers[0].split("."))


def _halt(block: bytes, address: int) -> Stage:
    text = printed(f"rf_cal[0] !=0x05,is 0x{block[0]:02X}\n")
    reason = f"the init data at 0x{address:06x} begins with 0x{block[0]:02x}, not 0x05"
    return Stage((BootEvent(SDK_NS, text),), BootOutcome.BOOT_LOOP, reason)


def _found(chip: BootFlash, address: int) -> str:
    length = max(1, len(chip.flash))
    if address < length:
        return f"its init data is at 0x{address:06x}"
    seen = address % length
    return f"its init data is read at 0x{address:06x}, where this smaller flash shows 0x{seen:06x} again"


def _rf_lines(program: bytes, sector: int, block: bytes) -> tuple[BootEvent, ...]:
    """What the SDK prints when it reads its init data, as far as the strings for it are in the firmware."""
    # Seen with SDK 1.5.4.1 and later: https://esp8266.com/viewtopic.php?f=160&t=18711&view=print
    if b"rf cal sector: %d" not in program:
        return ()
    lines = [f"rf cal sector: {sector}"]
    if b"freq trace enable %d" in program:
        lines.append("freq trace enable 0")  # 1 with AT 1.4; what decides is not known
    lines += [f"rf[{number}] : {block[number]:02x}" for number in (112, 113, 114)]
    return (BootEvent(SDK_NS, printed("\n".join(lines) + "\n")),)


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
            return b"\r\n" + text.strip(b"\n").replace(b"\n", b"\r\n") + b"\r\n"
    return b""
