"""rBoot's configuration: which ROM starts, and where the ROMs are; at flash offset 0x1000, mostly.

A small structure at the start of a sector, with or without a checksum, as the boot loader was built.  The
rest of the sector belongs to the user.  Mongoose OS has a longer one of its own, with sizes and file systems.
Not a partition table.

Sources: rboot.h and readme.txt of https://github.com/raburton/rboot; for Mongoose OS rboot.h and rboot.c in
platforms/esp8266/rboot of https://github.com/cesanta/mongoose-os.  See docs/formats/rboot-config.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from construct import Array, Bytes, Const, Int8ul, Int32ul, Struct

from imgtool.chip import SECTOR
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.checksums import xor8
from imgtool.formats.reading import (
    Checksum,
    Cover,
    FileKind,
    Finding,
    Part,
    PartKind,
    Reading,
    Severity,
)
from imgtool.formats.wire import parse_at

__all__ = ["MAGIC", "MONGOOSE_OFFSET", "OFFSET", "MongooseConfig", "RbootConfig", "part_at", "read"]

MAGIC: Final = 0xE1
OFFSET: Final = 0x1000
"""Flash offset of the configuration: the sector behind rBoot."""

MONGOOSE_OFFSET: Final = 0x7000
"""Where Mongoose OS has it, if its build does not say 0x1000, as Shelly's does."""

_HEAD = Struct(
    "magic" / Const(MAGIC, Int8ul),
    "version" / Const(1, Int8ul),
    "mode" / Int8ul,  # 0 standard; flags: 1 GPIO ROM, 2 temporary ROM, 4 erase SDK settings, 8 GPIO skip
    "current_rom" / Int8ul,
    "gpio_rom" / Int8ul,
    "count" / Int8ul,
    "unused" / Bytes(2),
)
_ROM = Struct("address" / Int32ul)
_CHECK = Struct("checksum" / Int8ul, "unused" / Bytes(3))
_LEAST_ROMS: Final = 4  # MAX_ROMS as delivered; larger builds raise it to what they need
_LEAST_SIZE: Final = _HEAD.sizeof() + _LEAST_ROMS * _ROM.sizeof()
_MODES: Final = 0x0F
_BLANKS: Final = {SECTOR: "HAA and others have", SECTOR // 2: "esp-open-rtos has"}

_MONGOOSE = Struct(
    "magic" / Const(MAGIC, Int8ul),
    "version" / Const(1, Int8ul),
    "mode" / Int8ul,
    "current_rom" / Int8ul,
    "gpio_rom" / Int8ul,
    "count" / Int8ul,
    "previous_rom" / Int8ul,
    "first_boot" / Int8ul,
    "attempts" / Int8ul,
    "updated" / Int8ul,
    "unused" / Bytes(2),
    "roms" / Array(_LEAST_ROMS, Int32ul),
    "sizes" / Array(_LEAST_ROMS, Int32ul),
    "files" / Array(_LEAST_ROMS, Int32ul),
    "files_sizes" / Array(_LEAST_ROMS, Int32ul),
    "user_flags" / Int32ul,
)
_LARGEST_ROM: Final = 0x10_0000


@dataclass(frozen=True, slots=True, kw_only=True)
class RbootConfig:
    """rBoot's configuration as values.

    Attributes:
        mode: Flags, 0 is standard.
        current_rom: The ROM that starts next.
        gpio_rom: The ROM that a pin selects.
        count: ROMs in use.
        roms: Flash offsets; at least four, those behind ``count`` unused.
        stored_checksum: The check byte, None for builds without one.
        unused: The two bytes that no field owns.
    """

    mode: int
    current_rom: int
    gpio_rom: int
    count: int
    roms: tuple[int, ...]
    stored_checksum: int | None = None
    unused: bytes = b"\0\0"

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> RbootConfig:
        """Read the configuration at ``offset``; what its values mean is not judged.

        Raises:
            FormatError: Another magic or version, or it is cut short.
        """
        head = parse_at(_HEAD, data, offset, "rBoot configuration")
        start = offset + _HEAD.sizeof()
        size = _ROM.sizeof()
        count = max(_LEAST_ROMS, head.count)
        roms = tuple(parse_at(_ROM, data, start + size * n, f"ROM {n}").address for n in range(count))
        return cls(
            mode=head.mode,
            current_rom=head.current_rom,
            gpio_rom=head.gpio_rom,
            count=head.count,
            roms=roms,
            stored_checksum=_stored_check(data, start + size * count),
            unused=head.unused,
        )

    def build(self) -> bytes:
        """The structure as bytes, with its checksum if it has one."""
        body = self._body()
        if self.stored_checksum is None:
            return body
        return body + _CHECK.build({"checksum": self.stored_checksum, "unused": bytes(3)})

    def _body(self) -> bytes:
        head = {
            "mode": self.mode,
            "current_rom": self.current_rom,
            "gpio_rom": self.gpio_rom,
            "count": self.count,
            "unused": self.unused,
        }
        return _HEAD.build(head) + b"".join(_ROM.build({"address": rom}) for rom in self.roms)

    @property
    def checksum(self) -> Checksum | None:
        """Stored and computed, None for builds without one."""
        if self.stored_checksum is None:
            return None
        return Checksum("xor8", self.stored_checksum, xor8([self._body()]))

    @property
    def used(self) -> tuple[int, ...]:
        """Flash offsets of the ROMs in use."""
        return self.roms[: self.count]

    @property
    def problems(self) -> tuple[str, ...]:
        """What rBoot could not start with."""
        problems = []
        if self.count == 0:
            problems.append("it counts no ROM")
        if self.current_rom >= max(1, self.count):
            problems.append(f"its current ROM is {self.current_rom}, but it counts {self.count}")
        problems += [
            f"ROM {index} at 0x{rom:05x} does not begin at a sector behind rBoot and this configuration"
            for index, rom in enumerate(self.used)
            if rom % SECTOR or rom <= OFFSET
        ]
        return tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongooseConfig:
    """The configuration of Mongoose OS's rBoot as values.

    Attributes:
        mode: Flags, 0 is standard.
        current_rom: The ROM that starts next.
        previous_rom: The one before an update, which also a pin selects.
        first_boot: Whether the firmware of the current ROM has not confirmed yet that it works.
        attempts: How often it was tried since.
        count: ROMs in use.
        roms: Flash offsets of those.
        sizes: Their bytes.
        file_systems: Flash offset and bytes of the file system of each.
        stored_checksum: The check byte, None for builds without one.
    """

    mode: int
    current_rom: int
    previous_rom: int
    first_boot: bool
    attempts: int
    count: int
    roms: tuple[int, ...]
    sizes: tuple[int, ...]
    file_systems: tuple[tuple[int, int], ...]
    checksum: Checksum | None = None

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> MongooseConfig | None:
        """Read the configuration at ``offset``; None where it is rBoot's own, or none at all.

        Where that has its first ROM, this has counters; and a ROM at 0 or within a sector cannot be.
        """
        try:
            read = parse_at(_MONGOOSE, data, offset, "rBoot configuration")
        except FormatError:
            return None
        first = int.from_bytes(data[offset + 8 : offset + 12], "little")
        count = read.count
        if (first and first % SECTOR == 0) or not 0 < count <= _LEAST_ROMS:
            return None
        roms, sizes = (tuple(each[:count]) for each in (read.roms, read.sizes))
        if any(rom % SECTOR or rom <= OFFSET for rom in roms) or not all(
            0 < s <= _LARGEST_ROM for s in sizes
        ):
            return None
        files = zip(read.files[:count], read.files_sizes[:count], strict=True)
        end = offset + _MONGOOSE.sizeof()
        stored = _stored_check(data, end)
        cover = Cover(end, ((offset, end),))
        return cls(
            mode=read.mode,
            current_rom=read.current_rom,
            previous_rom=read.previous_rom,
            first_boot=read.first_boot != 0,
            attempts=read.attempts,
            count=count,
            roms=roms,
            sizes=sizes,
            file_systems=tuple((at, size) for at, size in files if at and size and at % SECTOR == 0),
            checksum=None
            if stored is None
            else Checksum("xor8", stored, xor8([data[offset:end]]), cover=cover),
        )

    @property
    def used(self) -> tuple[int, ...]:
        """Flash offsets of the ROMs in use."""
        return self.roms

    @property
    def problems(self) -> tuple[str, ...]:
        """What the boot loader could not start with."""
        wrong = self.first_boot and self.attempts and self.previous_rom >= self.count
        return (f"its previous ROM is {self.previous_rom}, but it counts {self.count}",) if wrong else ()


def _stored_check(data: bytes, offset: int) -> int | None:
    """The check byte at ``offset``, right or wrong, if the structure has one.

    A build with a checksum writes it with three bytes of padding; a build without one leaves what was there:
    erased flash, zeros in a file, or the user's data.
    """
    block = data[offset : offset + _CHECK.sizeof()]
    if len(block) < _CHECK.sizeof() or block[0] in (0, fill.ERASED) or any(block[1:]):
        return None
    return block[0]


def part_at(
    data: bytes, offset: int
) -> tuple[Part, RbootConfig | MongooseConfig | None, tuple[Finding, ...]]:
    """The sector at ``offset`` as a part, the configuration in it, and what is to be said.

    A sector without one is no error: rBoot then writes its default, with ROMs at 0x2000 and in the second
    half of the flash.
    """
    size = min(SECTOR, len(data) - offset)
    mongoose = MongooseConfig.parse(data, offset)
    if mongoose is not None:
        note = f"Mongoose OS: starts ROM {mongoose.current_rom} of {mongoose.count}"
        part = Part(
            PartKind.RBOOT_CONFIG, offset, size, checksum=mongoose.checksum, note=note, value=mongoose
        )
        return part, mongoose, _findings(mongoose, offset, offset + _MONGOOSE.sizeof())
    try:
        config = RbootConfig.parse(data, offset)
    except FormatError as problem:
        if data[offset] == MAGIC and size < _LEAST_SIZE:
            finding = Finding(Severity.ERROR, "cut", "the rBoot configuration is cut", problem.offset)
            return Part(PartKind.RBOOT_CONFIG, offset, size, note="cut"), None, (finding,)
        blank = fill.is_fill(data, offset, offset + size, data[offset])
        note = "blank: rBoot writes its default" if blank else "no configuration: rBoot writes its default"
        return Part(PartKind.RBOOT_CONFIG, offset, size, note=note), None, ()
    check = config.checksum
    if check is not None:
        place = offset + len(config.build()) - _CHECK.sizeof()
        check = check._replace(cover=Cover(place, ((offset, place),)))
    note = f"starts ROM {config.current_rom} of {config.count}"
    part = Part(PartKind.RBOOT_CONFIG, offset, size, checksum=check, note=note, value=config)
    return part, config, _findings(config, offset, offset + len(config.build()) - _CHECK.sizeof())


def _findings(config: RbootConfig | MongooseConfig, offset: int, place: int) -> tuple[Finding, ...]:
    findings = [
        Finding(Severity.ERROR, "rboot-config", f"the rBoot configuration is not valid: {problem}", offset)
        for problem in config.problems
    ]
    check = config.checksum
    if check is not None and not check.ok:
        message = (
            f"the configuration's checksum is 0x{check.stored:02x}, but its bytes give 0x{check.computed:02x}"
        )
        findings.append(Finding(Severity.ERROR, "checksum", message, place))
    if config.mode & ~_MODES:
        message = f"mode 0x{config.mode:02x} has flags without a meaning"
        findings.append(Finding(Severity.WARNING, "rboot-mode", message, offset + 2))
    return tuple(findings)


def read(data: bytes) -> Reading | None:
    """Read a file that is one rBoot configuration sector."""
    if not _HEAD.sizeof() <= len(data) <= SECTOR:
        return None
    if data[0] != MAGIC:
        return _read_zeros(data)
    part, config, findings = part_at(data, 0)
    # One fault is damage; several mean that the first two bytes are a coincidence.
    if config is None or len(config.problems) > 1:
        return None
    return Reading(FileKind.RBOOT_CONFIG, (part,), findings=findings)


def _read_zeros(data: bytes) -> Reading | None:
    """Zeros: what rBoot's users flash to 0x1000 to have the default configuration written.

    A sector of them (HAA), or half of one (esp-open-rtos: ``firmware_prebuilt/blank_config.bin`` in
    https://github.com/SuperHouse/esp-open-rtos/tree/master/bootloader).
    """
    if len(data) not in _BLANKS or not fill.is_fill(data, 0, len(data), 0):
        return None
    message = (
        f"{len(data):,} bytes of zeros: taken for a blank rBoot configuration for flash offset 0x1000,"
        f" as {_BLANKS[len(data)]} it, by elimination"
    )
    part = Part(PartKind.RBOOT_CONFIG, 0, len(data), note="blank: rBoot writes its default")
    findings = (Finding(Severity.NOTE, "rboot-config-by-elimination", message),)
    return Reading(FileKind.RBOOT_CONFIG, (part,), findings=findings)
