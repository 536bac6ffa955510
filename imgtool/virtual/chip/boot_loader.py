"""What Espressif's boot loader does, 1.1 to 1.7: its text, the slot that it takes, its checks, its retries.

Nothing is executed.  All of it was seen by running the loaders 1.1, 1.2, 1.4(b1), 1.6 and 1.7 under the boot
ROM: see docs/virtual/boot.md.  Not the application that it starts.

The flags that decide, in the first bytes of a copy of the SDK's parameters, are read here a second time on
purpose: imgtool/formats/regions/system_param.py reads them for people, and the tests hold the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from imgtool.chip import SECTOR, flash_size_of_code
from imgtool.errors import FormatError
from imgtool.formats.images import version1, version2
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.images.version2 import OtaImage
from imgtool.formats.logs.boots import ResetCause
from imgtool.virtual.chip.boot_stage import ERASE_NS, BootEvent, BootFlash, BootOutcome, Stage, printed

__all__ = ["LoaderStart", "start_loader"]

# Modelled delays, neither of them measured.
_TEXT_NS: Final = 20_000_000
_WATCHDOG_NS: Final = 1_600_000_000

_MODES: Final = ("QIO\n", "QOUT\n", "DIO\n", "DOUT\n")
_SPEEDS: Final = {0: "40MHz\n", 1: "26.7MHz\n", 2: "20MHz\n", 15: "80MHz\n"}
_PLAIN_SIZES: Final = {0: "4Mbit", 1: "2Mbit", 2: "8Mbit", 3: "16Mbit", 4: "32Mbit"}
_MAPS: Final = {
    0: "4Mbit(256KB+256KB)",
    1: "2Mbit",
    2: "8Mbit(512KB+512KB)",
    3: "16Mbit(512KB+512KB)",
    4: "32Mbit(512KB+512KB)",
    5: "16Mbit(1024KB+1024KB)",
    6: "32Mbit(1024KB+1024KB)",
}
_NEW_MAPS: Final = _MAPS | {8: "64Mbit(1024KB+1024KB)", 9: "128Mbit(1024KB+1024KB)"}
_NO_MAP: Final = 7  # the only code that 1.7 has no answer to

_USER1: Final = SECTOR
_SMALLEST: Final = 0x8_0000  # what a code without a meaning is taken for, with user2 in its middle
_QUARTER_MB: Final = 0x4_0000
_ROM_READS: Final = 0x40_0000  # the loader reads and writes with the ROM, which knows 4 MB

# Versions that begin something.
_WITH_FLAGS: Final = (1, 2)
_WITH_RETRY: Final = (1, 3)
_WITH_MAPS: Final = (1, 4)
_WITH_BACKUP: Final = (1, 5)
_WITH_GPIO: Final = (1, 6)
_WITH_ROUNDS: Final = (1, 7)

# Flags, byte 0: bits 1 and 0 are the slot, bit 2 that it is not known to fail.
_USER_BITS: Final = 0x03
_FRESH: Final = 0x03
_SECOND: Final = 0x01
_GOOD: Final = 0x04
_AS_FRESH: Final = 0xFC
# Byte 1: the minor version of the loader that wrote it, and three bits that choose the way.
_VERSION_BITS: Final = 0x1F
_NORMAL: Final = 0xE0
_TEST_CHOSEN, _TEST_OVER, _NOT_ENHANCED = 0x20, 0x40, 0x80
_TEST_PLACE, _FIRST_PLACE = 2, 5  # three bytes each
_FIELDS: Final = 8
_OLD_USER_BITS: Final = 0x0F
_OLD_VERSION: Final = 2
_ERASED: Final = 0xFF

_GPIO_BYTE: Final = 119  # of the init data
_PIN: Final = 0xA  # its upper half where the lower one is a pin

_USER_MAGIC: Final = bytes((version2.MAGIC, 4))
_MISSING: Final = "is not there"
_BAD_SUM: Final = "has a wrong checksum"
_CUT: Final = "is no whole image"

# The word in RTC memory by which 1.7 counts, as it prints it.
_ROUNDS: Final = 0x5A5A_5A00
_ROUNDS_END: Final = _ROUNDS + 3
_NEXT_IMAGE: Final = 0x1234_5678


class LoaderStart(NamedTuple):
    """What became of a start of the loader.

    Attributes:
        stage: Its events, and how it ended where it started nothing.
        image: Flash address of the image that it started, None for none.
        rounds: The word that it leaves in RTC memory for its next start.
    """

    stage: Stage
    image: int | None
    rounds: int


class _Place(NamedTuple):
    """An image that the loader tries, and how it says so."""

    name: str
    address: int
    announced: str


@dataclass
class _Flags:
    """The flags in the flash, and where they stand: one copy of the parameters, as the last sector says.

    Attributes:
        chip: The flash.
        end: The end of the flash, as the loader believes.
        events: The writes so far.
    """

    chip: BootFlash
    end: int
    events: list[BootEvent]

    def __post_init__(self) -> None:
        self.readable = self.end <= _ROM_READS
        self._first = self._read(self.end - SECTOR, 1)[0] == 0
        self.sector = bytearray(self._read(self.end - (3 if self._first else 2) * SECTOR, SECTOR))

    def _read(self, address: int, size: int) -> bytes:
        return self.chip.read(address, size) if self.readable else b"\xff" * size

    def store(self, kept: int = SECTOR) -> None:
        """Write them to the other copy, and that one's number to the last sector.

        Args:
            kept: How many bytes of the copy; what lies behind is erased.
        """
        if not self.readable:
            return
        other = self.end - (2 if self._first else 3) * SECTOR
        last = bytearray(self._read(self.end - SECTOR, 4))
        last[0] = int(self._first)
        for write in ((other, bytes(self.sector[:kept])), (self.end - SECTOR, bytes(last))):
            self.events.append(BootEvent(ERASE_NS, write=write))
            self.chip.write(*write)
        self._first = not self._first


def start_loader(chip: BootFlash, head: bytes, version: str, rounds: int) -> LoaderStart:
    """One start of the loader.

    Args:
        chip: The flash.
        head: Its first bytes.
        version: What the loader calls itself.
        rounds: The word in RTC memory.
    """
    return _Start(chip, head, version, rounds).run()


class _Start:
    """One start of the loader, with what it goes by."""

    def __init__(self, chip: BootFlash, head: bytes, version: str, rounds: int) -> None:
        self._chip = chip
        self._head = head
        self._version = version
        self._number = tuple(int(part) for part in version.split("(", maxsplit=1)[0].split(".")[:2])
        self._code = head[3] >> 4
        self._rounds = rounds
        self._events: list[BootEvent] = []
        known = _PLAIN_SIZES if self._number < _WITH_MAPS else self._maps()
        size = flash_size_of_code(self._code) if self._code in known else None
        self._end = _SMALLEST if size is None else size.bytes
        half = _QUARTER_MB if size is None else size.ota_slot
        if size is not None and not half:  # 256 KB
            half = size.bytes // 2 if self._number < _WITH_ROUNDS else _QUARTER_MB
        self._user2 = half + SECTOR

    def _maps(self) -> dict[int, str]:
        return _MAPS if self._number < _WITH_ROUNDS else _NEW_MAPS

    def _say(self, text: str) -> None:
        self._events.append(BootEvent(_TEXT_NS if not self._events else 0, printed(text)))

    def run(self) -> LoaderStart:
        self._say(self._greeting())
        if self._number >= _WITH_ROUNDS and self._code == _NO_MAP:
            self._say("user code done\n")
            return self._stopped("boot loader 1.7 has no map for flash size code 7")
        flags = _Flags(self._chip, self._end, self._events)
        if self._number < _WITH_RETRY:
            return self._old(flags)
        if self._number >= _WITH_GPIO:
            self._look_at_pin()
        minor = self._number[1]
        if flags.sector[1] & _VERSION_BITS != minor or flags.sector[0] & _USER_BITS == _FRESH:
            flags.sector[:_FIELDS] = bytes((_AS_FRESH, _NORMAL | minor)) + b"\xff" * (_FIELDS - 2)
            flags.store()
        if flags.sector[0] & _USER_BITS > _SECOND:
            return self._no_slot(flags.sector[0] & _USER_BITS)
        return self._new(flags)

    def _greeting(self) -> str:
        modes = _MODES if self._number >= _WITH_RETRY else _MODES[:3]
        mode = dict(enumerate(modes)).get(self._head[2], _MODES[0] if self._number >= _WITH_GPIO else "")
        speed = _SPEEDS.get(self._head[3] & 0xF, "\n" if self._number >= _WITH_ROUNDS else "")
        start = f"\n2nd boot version : {self._version}\n"
        plain = _PLAIN_SIZES[0]
        if self._number < _WITH_MAPS:
            size = "Size : " + _PLAIN_SIZES.get(self._code, plain)
        else:
            size = "Size & Map: " + self._maps().get(self._code, plain)
        if self._number < _WITH_ROUNDS:
            return start + f"  SPI Speed      : {speed}  SPI Mode       : {mode}  SPI Flash {size}\n"
        if self._code == _NO_MAP:
            size = "Size & Map: flash map not support"
        return start + f"SPI Speed : {speed}SPI Mode : {mode}SPI Flash {size}\n"

    def _look_at_pin(self) -> None:
        """1.6 and 1.7 can try another image where a pin is low; byte 119 of the init data names the pin."""
        pin = self._chip.read(self._end - 4 * SECTOR + _GPIO_BYTE, 1)[0]
        silent = {0, _ERASED} if self._number >= _WITH_ROUNDS else {0}
        if pin not in silent and pin >> 4 != _PIN:  # a pin is taken to be high, which says nothing
            self._say("no GPIO select!\n")

    def _old(self, flags: _Flags) -> LoaderStart:
        """1.1 and 1.2: one try."""
        with_flags = self._number >= _WITH_FLAGS
        first = 0 if flags.sector[0] == _ERASED else flags.sector[0]
        if with_flags and flags.sector[1] != _OLD_VERSION:
            flags.sector[:2] = bytes((first, _OLD_VERSION))
            flags.store(_FIELDS)
        slot = first & _OLD_USER_BITS
        if slot > _SECOND:
            return self._no_slot(slot)
        place = self._user(second=bool(slot))
        self._say(f"{place.announced}\n\n")
        problem = self._problem(place.address)
        if problem is None:
            return self._started(place)
        missing = with_flags and problem is _MISSING
        self._say(("get flash_addr error!\n" if missing else "") + "user code done\n")
        return self._stopped(f"{_wrong(place, problem)}, and boot loader {self._version} tries no other")

    def _new(self, flags: _Flags) -> LoaderStart:
        """1.3 and later: the other image has a try as well, after a reset by the watchdog."""
        good = bool(flags.sector[0] & _GOOD)
        test = flags.sector[1] & (_TEST_CHOSEN | _TEST_OVER) == _TEST_CHOSEN
        place = self._chosen(flags.sector, good=good, test=test)
        self._say(f"{place.announced}\n\n")
        problem = self._problem(place.address)
        if problem is None:
            return self._started(place)
        wrong = _wrong(place, problem)
        if problem is _CUT or (problem is _BAD_SUM and self._number[:2] == _WITH_MAPS):
            # A length that is too large runs over all RAM.  Behind a wrong checksum 1.4 goes on at the start
            # of the data RAM: an exception in the ROM, which says nothing.
            return self._stopped(f"{wrong}, which boot loader {self._version} does not survive")
        if problem is _MISSING:
            self._say("error magic!\n")
        if test:
            self._say("user code done\n")
            return self._stopped(f"{wrong}, and in test mode there is no other")
        return self._failed(flags, wrong, good=good)

    def _chosen(self, sector: bytearray, *, good: bool, test: bool) -> _Place:
        """The image to try."""
        if test or not sector[1] & _NOT_ENHANCED:
            at = _FIRST_PLACE if good and not test else _TEST_PLACE
            address = int.from_bytes(sector[at : at + 3], "little")
            mode = "test" if test else "enhance boot"
            return _Place("an image", address, f"{mode} mode, jump to run bin @ {address:x}")
        second = bool(sector[0] & _SECOND)
        if self._number < _WITH_BACKUP:
            return self._user(second=second and good)
        return self._user(second=second is good)

    def _user(self, *, second: bool) -> _Place:
        name, address = ("user2", self._user2) if second else ("user1", _USER1)
        announced = f"jump to run {name}"
        if self._number >= _WITH_MAPS:
            announced += f" @ {address:x}"
        return _Place(name, address, announced)

    def _failed(self, flags: _Flags, wrong: str, *, good: bool) -> LoaderStart:
        """No image: what the loader does next."""
        which = "first" if good else "backup"
        if self._number >= _WITH_ROUNDS and self._rounds != _ROUNDS_END:
            self._say(f"{which} boot failed {self._rounds:x}, reboot to try this bin again\n\n")
            counted = _ROUNDS < self._rounds < _ROUNDS_END
            return self._restart(wrong, self._rounds + 1 if counted else _ROUNDS + 1)
        if not good:
            self._say("backup boot failed.\n\nuser code done\n")
            return self._stopped(f"{wrong}, and there is no other image to try")
        flags.sector[0] &= ~_GOOD
        flags.store()
        self._say("first boot failed, reboot to try backup bin\n\n")
        return self._restart(wrong, _NEXT_IMAGE)

    def _problem(self, address: int) -> str | None:
        """What keeps the loader from starting an image; None for nothing."""
        magic = self._chip.read(address, 2)
        if magic[0] != version1.MAGIC and (self._number < _WITH_FLAGS or magic != _USER_MAGIC):
            return _MISSING
        data = self._head[address:]
        try:
            image = BootImage.parse(data) if magic[0] == version1.MAGIC else OtaImage.parse(data).boot
        except FormatError:
            return _CUT
        if not image.segments:  # which leave the loader in the RAM that it jumps to
            return _CUT
        return None if image.stored_checksum in {None, image.checksum} else _BAD_SUM

    def _started(self, place: _Place) -> LoaderStart:
        stage = Stage(tuple(self._events), None, f"user image at 0x{place.address:06x}")
        return LoaderStart(stage, place.address, self._rounds)

    def _no_slot(self, bits: int) -> LoaderStart:
        flag = "flag = " if self._number >= _WITH_ROUNDS else "flag, flag = "
        self._say(f"jump to run usererror user bin {flag}{bits:x}\nuser code done\n")
        return self._stopped(f"the flags name slot {bits}, which the boot loader does not have")

    def _stopped(self, reason: str) -> LoaderStart:
        return LoaderStart(Stage(tuple(self._events), BootOutcome.HANGS, reason), None, self._rounds)

    def _restart(self, reason: str, rounds: int) -> LoaderStart:
        self._events.append(BootEvent(_WATCHDOG_NS))
        return LoaderStart(Stage(tuple(self._events), None, reason, ResetCause.WATCHDOG), None, rounds)


def _wrong(place: _Place, problem: str) -> str:
    if problem is _MISSING:
        return f"there is no {place.name} at 0x{place.address:06x}"
    return f"{place.name} at 0x{place.address:06x} {problem}"
