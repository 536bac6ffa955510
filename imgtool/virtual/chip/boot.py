"""What an ESP8266 sends when it starts: the boot ROM, Espressif's boot loader, the SDK's first check.

Nothing is executed.  The ROM's lines are computed from the image, byte for byte as logs show them; what comes
behind is told from the structure of the flash and the strings in it, as far as that is known.  No real output
of an application: that ends at its banner.  Sources, and what nobody has confirmed on silicon:
docs/virtual/boot.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from imgtool.chip import RTOS_TABLE_PLACE, SECTOR, flash_size_of_code, memory_at
from imgtool.errors import FormatError
from imgtool.formats.checksums import XOR_SEED, xor8
from imgtool.formats.firmware import arduino_firmware, identify_firmware
from imgtool.formats.images import rboot, sdk_bootloader, version1, version2
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.logs.boots import ResetCause
from imgtool.formats.regions import rtos_partitions
from imgtool.formats.regions.rboot_config import RbootConfig
from imgtool.virtual.chip.addresses import swallows
from imgtool.virtual.chip.boot_loader import start_loader
from imgtool.virtual.chip.boot_nodemcu import nodemcu_stage
from imgtool.virtual.chip.boot_sdk import application_stage, code_problem, micropython_stage
from imgtool.virtual.chip.boot_stage import (
    ROM_BAUD,
    BootEvent,
    BootFlash,
    BootOutcome,
    Stage,
    printed,
)

__all__ = [
    "BootEvent",
    "BootOutcome",
    "BootRun",
    "LoadedSegment",
    "ReadableFlash",
    "ResetCause",
    "RomLoad",
    "boot",
    "download_banner",
    "load_image",
]

FLASH_BOOT: Final = 3
"""Straps (GPIO15, GPIO0, GPIO2 as bits) for a boot from flash."""

DOWNLOAD: Final = 1
"""Straps for the download mode."""

_SDIO: Final = 4  # GPIO15 high

# Modelled delays, none of them measured.
_RESET_NS: Final = 5_000_000
_READ_NS: Final = 500  # a byte that the ROM copies
_LOADER_NS: Final = 20_000_000
_HEADER: Final = 8
_LINE: Final = 16  # the ROM reads the flash in pieces of this size
_READABLE: Final = 0x40_0000  # the ROM takes any flash for one of 4 MB
_WORD: Final = 4
_REGISTERS: Final = (0x6000_0100, 0x6000_2000)
_UART: Final = range(0x6000_0000, 0x6000_0100)
# The name of the ROM's source file.  A line number is meant to follow; the ROM takes it for an address.
_FAILED: Final = "ets_main.c "
_HEAD: Final = 0x20_0000  # nothing that runs lies further on
_RAM: Final = ((0x3FFE_8000, 0x4000_0000), (0x4010_0000, 0x4011_0000))
_EBOOT: Final = 0x4010_F000
_LONGEST_SKETCH: Final = 0x10_0000
_OLD_EBOOT: Final = 1264  # bytes of the last that did not print a version
_PASSES: Final = 10  # boot loader 1.7 comes to an end in its eighth start
_ROM_0: Final = 0x2000  # of rBoot
_IMAGE_MAGICS: Final = (version1.MAGIC, version2.MAGIC)


@dataclass(frozen=True, slots=True)
class BootRun:
    """What happens from a reset until an application runs, nothing happens any more, or all begins again.

    Attributes:
        events: In order.  Where the firmware restarts once on its way, as NodeMCU 3 does on its first boot,
            the second pass is among them.
        outcome: How it ends.
        reason: Why, in a sentence.
        next_cause: For a loop, the cause that the next round prints.
        application: The firmware that was started, None if none was.
    """

    events: tuple[BootEvent, ...]
    outcome: BootOutcome
    reason: str
    next_cause: ResetCause | None = None
    application: str | None = None

    def text(self, baud: int = ROM_BAUD) -> bytes:
        """All that is sent at one rate."""
        return b"".join(event.text for event in self.events if event.baud == baud)


class LoadedSegment(NamedTuple):
    """A segment that the ROM copies.

    Attributes:
        address: Where it goes.
        position: Where it is in the flash.
        size: Bytes.
    """

    address: int
    position: int
    size: int


class RomLoad(NamedTuple):
    """What the ROM made of the image at 0.

    Attributes:
        text: Its lines.
        read: Bytes of the flash that it came to.
        problem: Why it stopped, None if it did not.
        segments: What it has copied.
        entry: The entry point that it jumps to, 0 for nowhere; None where it has stopped.
    """

    text: bytes
    read: int
    problem: str | None = None
    segments: tuple[LoadedSegment, ...] = ()
    entry: int | None = None


class ReadableFlash(Protocol):
    """A flash that can be read."""

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes from ``address``."""
        ...


def download_banner(cause: ResetCause, state: int = 6, *, strap: int = DOWNLOAD) -> bytes:
    """What the ROM sends at 74880 baud before it waits for a host.

    Args:
        cause: Why it starts.
        state: The second number, of which only single bits are documented; boards show 6 or 7.
        strap: The first number.
    """
    lines = f"\n ets Jan  8 2013,rst cause:{int(cause)}, boot mode:({strap},{state})\n\n"
    # https://github.com/esp8266/Arduino/issues/2829 has the line also in download mode.
    return printed(lines + ("wdt reset\n" if cause is ResetCause.WATCHDOG else ""))


def boot(
    flash: bytes | memoryview,
    cause: ResetCause,
    *,
    writes: bool = False,
    strap: int = FLASH_BOOT,
    state: int = 6,
) -> BootRun:
    """Start a chip with this flash.

    Args:
        flash: All of it; a memoryview is not copied as a whole.
        cause: Why it starts.
        writes: Whether the events tell what a firmware writes on its first boot.  Without, the boot goes on
            as if it had been written, and the reason says so.
        strap: The boot mode of the pins: 3 from flash, 1 download.
        state: Second number of the ROM's boot mode.
    """
    chip = BootFlash(memoryview(flash).cast("B"))
    if strap != FLASH_BOOT:
        return _not_from_flash(cause, strap, state)
    events: list[BootEvent] = []
    reasons: list[str] = []
    stage = Stage((), None, "")
    for _ in range(_PASSES):
        stage = _pass(chip, cause, state, stage)
        events += stage.events
        if stage.reason not in reasons:
            reasons.append(stage.reason)
        for event in stage.events:
            if event.write is not None:
                chip.write(*event.write)
        if stage.outcome is not None:
            break
        cause = stage.cause or cause
    outcome = stage.outcome or BootOutcome.BOOT_LOOP  # it restarts without end
    if not writes and any(event.write is not None for event in events):
        reasons.append("the boot goes on as if that had been written")
    visible = tuple(event if writes else replace(event, write=None) for event in events)
    return BootRun(
        tuple(event for event in visible if event.text or event.write is not None or event.after_ns),
        outcome,
        "; ".join(reasons),
        (stage.cause or cause) if outcome is BootOutcome.BOOT_LOOP else None,
        stage.application,
    )


def _not_from_flash(cause: ResetCause, strap: int, state: int) -> BootRun:
    banner = download_banner(cause, state, strap=strap)
    if strap == DOWNLOAD:
        reason = "the ROM waits for a host on its serial port"
    elif strap & _SDIO:
        banner += printed("waiting for host\n") if state != 2 else b""  # noqa: PLR2004 - UART as well
        reason = "the pins select a boot over SDIO"
    else:
        reason = f"what the ROM does with boot mode {strap} is not known"
    return BootRun((BootEvent(_RESET_NS, banner),), BootOutcome.HANGS, reason)


def _pass(chip: BootFlash, cause: ResetCause, state: int, before: Stage) -> Stage:
    """One start of the chip, after what it did before."""
    banner = BootEvent(_RESET_NS, download_banner(cause, state, strap=FLASH_BOOT), before.baud)
    loaded = load_image(chip)
    events = (banner, BootEvent(loaded.read * _READ_NS, loaded.text, before.baud))
    if loaded.problem is not None:
        return Stage(events, BootOutcome.HANGS, loaded.problem)
    stage = _behind_rom(chip, before.rounds)
    return stage._replace(events=events + stage.events)


def load_image(chip: ReadableFlash) -> RomLoad:
    """Load the version-1 image at flash 0 as the ROM does, line by line.

    Args:
        chip: The flash.
    """
    header = chip.read(0, _HEADER)
    if header[0] != version1.MAGIC:
        return RomLoad(printed(_FAILED), _LINE, f"flash 0 begins with 0x{header[0]:02x}, not 0xe9")
    text: list[str] = []
    segments: list[LoadedSegment] = []
    position, check = _HEADER, XOR_SEED
    rest_at = tail = 0  # what is left of the last piece: its offset there, and its bytes
    lost: str | None = None
    for index in range(header[1]):
        left = -position % _LINE
        if 0 < left < _HEADER:
            text.append(f"ho {rest_at} tail {tail} room {left}\n")
        fields = chip.read(position, _HEADER)
        address, size = (int.from_bytes(field, "little") for field in (fields[:4], fields[4:]))
        position += _HEADER
        left = -position % _LINE
        room = left if index else _LINE
        text.append(f"load 0x{address:08x}, len {size - (size >> 31 << 32)}, room {room} \n")
        # Whole pieces are copied first, and the rest of a line after it is told.
        rest_at, tail = (0, (size - left) % _LINE) if size >= left else (_LINE - left, size)
        bytewise = position % _WORD != 0 and size > tail
        problem = _copy_problem(address, position, size - tail, bytewise=bytewise)
        if problem is None and position + size > _READABLE:
            text.append("flash read err, ets_unpack_flash_code\n" + _FAILED)
            problem = "and the ROM can read no more than 4 MB of"
        if problem is None:
            text.append(f"tail {tail}\n")
            problem = _copy_problem(address + size - tail, position + size - tail, tail, bytewise=bytewise)
        if problem is not None:
            why = f"segment {index} loads at 0x{address:08x}, {problem} its {size} bytes"
            return RomLoad(printed("".join(text)), position, why, tuple(segments))
        if size and swallows(address):
            lost = f"segment {index} loads at 0x{address:08x}, where there is no RAM for its {size} bytes"
        elif size:
            segments.append(LoadedSegment(address, position, size))
        check = xor8([chip.read(position, size)], check)
        text.append(f"chksum 0x{check:02x}\n")
        position += size
    ending, problem, entry = _end_of_image(chip, header, position, check)
    return RomLoad(printed("".join(text) + ending), position, problem or lost, tuple(segments), entry)


def _end_of_image(
    chip: ReadableFlash, header: bytes, position: int, check: int
) -> tuple[str, str | None, int | None]:
    """What the ROM says when all segments are loaded, why it stops there if it does, where it goes on."""
    if header[1]:  # without a segment nothing is checked
        stored = chip.read(position | (_LINE - 1), 1)[0]
        text = f"csum 0x{check:02x}\n"  # the computed one also where they differ
        if stored != check:
            why = f"the checksum of the image at 0 is 0x{stored:02x}, but its segments give 0x{check:02x}"
            return text + "csum err\n" + _FAILED, why, None
    else:
        text = ""
    entry = int.from_bytes(header[4:], "little")
    if not entry:
        text += "user code done\n"
    where = f"the entry point 0x{entry:08x} is where the chip has no memory"
    return text, where if memory_at(entry) is None else None, entry


def _copy_problem(address: int, source: int, size: int, *, bytewise: bool) -> str | None:
    """Why the ROM cannot copy bytes of the flash there: it stops without a word then.

    Args:
        address: Where they go.
        source: Where they are in the flash.
        size: How many.
        bytewise: Whether it copies byte by byte, and not words with one to three bytes at the end.
    """
    if not size:
        return None
    if size >= _WORD and not bytewise and (address % _WORD or source % _WORD):
        return "and addresses that are no multiples of 4 stop the copy of"
    if swallows(address):
        return None
    if (bytewise or size % _WORD) and address >= _RAM[1][0]:
        return "and instruction RAM takes no parts of words, as there are at the end of"
    return _no_room(address, size)


def _no_room(address: int, size: int) -> str | None:
    """Why nothing can be copied there, whichever way; None if it can."""
    if address in _UART:
        return "and nothing can be read after the serial port is changed by"
    if any(start <= address and address + size <= end for start, end in (*_RAM, _REGISTERS)):
        return None
    return "where there is no RAM for"


def _behind_rom(chip: BootFlash, rounds: int) -> Stage:
    """What the code does that the ROM has loaded."""
    head = chip.head(_HEAD)
    try:
        found = version1.scan(head)
    except FormatError:
        found = None
    if found is None or found.problem is not None:
        return _not_followed(head[1])
    version = sdk_bootloader.version_of(head, found.end)
    if version is not None:
        return _loader(chip, head, version, rounds)
    if found.segments and found.segments[0].address == _EBOOT:
        return _eboot(chip, head, found.segments[0].size)
    if rboot.read(head) is not None:
        return _second_loader(chip, "rBoot", _roms(chip, head))
    table = rtos_partitions.table_at(head, RTOS_TABLE_PLACE)
    if table is not None:
        apps = [row.offset for row in table.partitions if row.type == rtos_partitions.APP]
        return _second_loader(chip, "the boot loader of the RTOS SDK", apps)
    return _application(chip, head, 0)


def _not_followed(segments: int) -> Stage:
    """The ROM has loaded an image that imgtool does not follow to its end."""
    if segments > version1.MAX_SEGMENTS:
        reason = f"imgtool does not know an image of {segments} segments, nor what it prints"
        return Stage((), BootOutcome.RUNNING, reason)
    return Stage((), BootOutcome.HANGS, "the image at 0 is longer than the flash, and goes on with its start")


def _application(chip: BootFlash, program: bytes, offset: int) -> Stage:
    """The program at ``offset``, which the ROM or a boot loader has loaded."""
    firmware = identify_firmware(program)
    name = None if firmware is None else f"{firmware.name} {firmware.version or ''}".strip()
    loaded, code = _parts(program)
    problem = code_problem(chip, loaded, offset, code)
    if problem is not None:
        # The handler says so again and again; where the call is, its words do not tell.
        return Stage((), BootOutcome.HANGS, problem, application=name)
    if firmware is None or name is None:
        what = "this firmware" if not offset else f"the application at 0x{offset:06x}"
        return Stage((), BootOutcome.RUNNING, f"imgtool does not know {what}, nor what it prints")
    size = chip.read(3, 1)[0] >> 4
    if firmware.name == "NodeMCU":
        return nodemcu_stage(chip, size, program, firmware)
    if firmware.name == "MicroPython":
        return micropython_stage(chip, size, name)
    if firmware.name == "CircuitPython":
        return _unknown(name)
    return application_stage(chip, size, program, firmware)


def _parts(program: bytes) -> tuple[bytes, bytes]:
    """What of an image is copied to RAM, and the code in flash that is part of it."""
    try:
        if program[0] == version1.MAGIC:
            return b"".join(segment.data for segment in BootImage.parse(program).segments), b""
        image = OtaImage.parse(program)
    except FormatError:
        return b"", b""
    return b"".join(segment.data for segment in image.boot.segments), image.irom


def _roms(chip: BootFlash, head: bytes) -> list[int]:
    """The flash addresses that rBoot looks at: those of its configuration, or those that it writes there."""
    try:
        return list(RbootConfig.parse(head, SECTOR).used)
    except FormatError:
        size = flash_size_of_code(chip.read(3, 1)[0] >> 4)
        return [_ROM_0] if size is None else [_ROM_0, size.bytes // 2 + _ROM_0]


def _second_loader(chip: BootFlash, name: str, places: list[int]) -> Stage:
    """A boot loader of which no more is known than where it looks for applications."""
    if any(chip.read(place, 1)[0] in _IMAGE_MAGICS for place in places):
        return _unknown(name)
    found = ", ".join(f"0x{place:06x}" for place in places) or "any address"
    return Stage((), BootOutcome.HANGS, f"{name} finds no application at {found}")


def _unknown(name: str) -> Stage:
    reason = f"imgtool does not know what {name} prints"
    return Stage((), BootOutcome.RUNNING, reason, application=name)


def _eboot(chip: BootFlash, head: bytes, size: int) -> Stage:
    """The Arduino core's boot loader: it loads the application at 0x1000 without a look at its checksum."""
    word = chip.read(SECTOR + 0x10, 4)
    # The word is the application's version or, in core 3, its length.  The first releases did not print it:
    # https://github.com/esp8266/Arduino/issues/1671
    version = "" if size <= _OLD_EBOOT else f"v{int.from_bytes(word, 'little'):08x}\n"
    # Core 2 sends the end of the next line without a CR, core 3 with one.
    ending = b"\r\n" if 0 < int.from_bytes(word, "little") < _LONGEST_SKETCH else b"\n"
    events = (BootEvent(_LOADER_NS, printed(version) + b"~ld" + ending),)
    if chip.read(SECTOR, 1)[0] != version1.MAGIC:
        # It says so before it looks: main() of bootloaders/eboot/eboot.c in https://github.com/esp8266/Arduino
        reason = "the Arduino boot loader finds no application at 0x1000, and jumps to where nothing is"
        return Stage(events, BootOutcome.HANGS, reason)
    firmware = arduino_firmware(head)
    name = f"{firmware.name} {firmware.version or ''}".strip()
    reason = "the Arduino core has its init data compiled in; what the application prints is not known"
    return Stage(events, BootOutcome.RUNNING, reason, application=name)


def _loader(chip: BootFlash, head: bytes, version: str, rounds: int) -> Stage:
    """Espressif's boot loader, and the user image that it starts."""
    start = start_loader(chip, head, version, rounds)
    if start.image is None:
        return start.stage._replace(rounds=start.rounds)
    return _run(chip, head, start.image, start.stage)


def _run(chip: BootFlash, head: bytes, offset: int, loader: Stage) -> Stage:
    """The user image at ``offset``, which the boot loader starts."""
    stage = _application(chip, head[offset:], offset)
    reason = f"{loader.reason}: {stage.reason}" if stage.application else stage.reason
    return stage._replace(events=loader.events + stage.events, reason=reason)
