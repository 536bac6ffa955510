"""Reads the boot log of an ESP8266 into its boots.

Takes any text.  No judgement of what a log comes to.  Lines that are not known are passed over; those of a
crash go to :mod:`imgtool.formats.logs.crash_reader`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SDK_SECTORS, SECTOR
from imgtool.formats.logs.boot_lines import line_table
from imgtool.formats.logs.boots import (
    DOWNLOAD,
    FLASH,
    Boot,
    BootCause,
    BootLog,
    BootMessage,
    BootMode,
    BootSegment,
    LoaderLines,
    ResetCause,
    RfCalSector,
)
from imgtool.formats.logs.clean_lines import (
    decoded,
    garbled_start,
    is_binary,
    is_noise,
    is_readable,
    lines,
    without_prefix,
)
from imgtool.formats.logs.crash_reader import CRASH_TOKENS, CrashReader
from imgtool.formats.logs.firmware_lines import CRASH_ROWS, FIRMWARE_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.logs.boot_lines import LineForm, LineTable

__all__ = ["read"]

_WORD: Final = re.compile(r"[^\x00-/:-@\[-`{-~]")  # anything but punctuation
_EBOOT_WORD: Final = re.compile(r"v[0-9a-f]{8}")  # Arduino's boot loader: the word at 0x1010
_KEPT_LINES: Final = 3
_KEPT_CHARACTERS: Final = 200
# Of the boot loader only behind its first line: other firmware has lines like them.
_LOADER_TOKENS: Final = ("speed", "spi_mode", "flash_size", "jump")
# What only means something once an image was started.
_AFTER_LOADING: Final = (
    "gpio-select",
    "error-magic",
    "first-failed",
    "boot-retry",
    "backup-failed",
    "user-flag",
    "eboot-erased",
    "eboot-load",
    "nodemcu-size",
    "eboot-copy",
    # Words that other programs print, too.
    "lua-memory",
    "restore",
    "firmware",
    "alloc",
    "stack-overflow",
    "abort",
    "backtrace",
)
_SPOKEN: Final = frozenset(name for name, _, _ in (*CRASH_ROWS, *FIRMWARE_ROWS))
# Boot loaders print these, or they are about the run before.
_UNSPOKEN: Final = frozenset(("firmware", "reset-reason", "reset-info"))

_CAUSES: Final[dict[int, str]] = {
    ResetCause.NOT_RECORDED: "no cause recorded",
    ResetCause.POWER_ON: "power on",
    ResetCause.EXTERNAL: "external reset: RST or EN pin, or wake-up from deep sleep",
    ResetCause.SOFTWARE: "software reset",
    ResetCause.WATCHDOG: "hardware watchdog",
    ResetCause.DEEP_SLEEP: "deep sleep timer",
    ResetCause.DEEP_SLEEP_POWER_ON: "deep sleep, power on",
}
_MODES: Final = {
    0: "remap boot",
    DOWNLOAD: "download over UART",
    2: "jump boot",
    FLASH: "boot from flash",
    # The sources agree that these are SDIO, and contradict each other on speed and version.
    4: "SDIO",
    5: "SDIO",
    6: "SDIO",
    7: "SDIO",
}


def read(log: bytes | str, known: tuple[LineForm, ...] = ()) -> BootLog:
    """Read a log.

    Takes anything: whole logs, pieces of them, several boots, with the prefixes of a monitor, with noise.

    Args:
        log: The log as it was recorded, or as text.
        known: Lines that are known besides those that a boot consists of; each becomes a message.
    """
    text = decoded(log)
    table = line_table(known)
    reader = _LogReader(table)
    other_chip = False
    program = ""
    for line in lines(text):
        tokens = list(table.found_in(line.text))
        for name, token in tokens:
            other_chip = other_chip or name == "other_chip"
            if name == "firmware" and not program:
                program = token[0]
            reader.take(name, line.number, token)
        if not reader.take_dump(line.text):
            rest = line.text[tokens[-1][1].end() :] if tokens else without_prefix(line.text)
            reader.take_text(line.number, rest)
    if other_chip:
        return BootLog((), other_chip)
    boots = tuple(draft.boot() for draft in reader.drafts)
    if not any(boot.cause for boot in boots) and is_binary(text):
        return BootLog((), noise=True, garbled=text)
    noise = not boots and is_noise(text)
    first = boots[0].line if boots else 0
    garbled, readable = garbled_start(text, first)
    if boots:
        return BootLog(boots, garbled=garbled)
    return BootLog((), noise=noise, garbled=text if noise else garbled, readable=readable, program=program)


@dataclass(slots=True)
class _BootDraft:
    """A boot that is being read."""

    line: int
    cause: BootCause | None = None
    mode: BootMode | None = None
    segments: list[BootSegment] = field(default_factory=list)
    checksum: int | None = None
    loader: LoaderLines | None = None
    rf_cal: RfCalSector | None = None
    init_data_byte: int | None = None
    messages: list[BootMessage] = field(default_factory=list)
    firmware: list[tuple[int, str]] = field(default_factory=list)
    firmware_lines: int = 0
    noise: bool = False
    crashes: CrashReader = field(default_factory=CrashReader)
    spoken: bool = False

    @property
    def loaded(self) -> bool:
        return bool(
            self.checksum is not None or self.loader is not None or self.rf_cal is not None or self.spoken
        )

    @property
    def only_begun(self) -> bool:
        return not (self.cause or self.segments or self.messages or self.loaded)

    def boot(self) -> Boot:
        return Boot(
            line=self.line,
            cause=self.cause,
            mode=self.mode,
            segments=tuple(_checked(self.segments, whole=self.cause is not None)),
            checksum=self.checksum,
            loader=self.loader,
            rf_cal=self.rf_cal,
            init_data_byte=self.init_data_byte,
            messages=tuple(self.messages),
            firmware=tuple(self.firmware),
            firmware_lines=self.firmware_lines,
            noise=self.noise,
            crashes=self.crashes.crashes(),
            crash_count=self.crashes.count,
            spoken=self.spoken,
        )


class _LogReader:
    """Takes the known words of a log in order, and puts them into boots."""

    def __init__(self, table: LineTable) -> None:
        self.drafts: list[_BootDraft] = []
        self._after_loading = {*_AFTER_LOADING, *_LOADER_TOKENS} | table.after_loading
        self._spoken = (_SPOKEN | table.spoken) - _UNSPOKEN

    def take(self, name: str, line: int, token: re.Match[str]) -> None:
        if name in ("banner", "half_banner"):
            if self.drafts and self.drafts[-1].only_begun:
                self.drafts.pop()  # a banner that was broken into two lines
            self.drafts.append(_with_banner(line, token))
        elif name != "other_chip":
            draft = self._current(name, line)
            if draft is not None:
                draft.spoken = draft.spoken or name in self._spoken
                _HANDLERS.get(name, _take_message)(draft, name, line, token)

    def take_dump(self, text: str) -> bool:
        """A line that may belong to the dump of a crash; returns whether it does."""
        return bool(self.drafts) and self.drafts[-1].crashes.take_line(text)

    def take_text(self, line: int, text: str) -> None:
        """What is left of a line: of the firmware, if an image was loaded."""
        words = text.strip()
        if not _WORD.search(words) or not self.drafts or not self.drafts[-1].loaded:
            return
        draft = self.drafts[-1]
        if not draft.firmware_lines and _EBOOT_WORD.fullmatch(words):
            return
        draft.firmware_lines += 1
        if not is_readable(words):
            draft.noise = True
        elif len(draft.firmware) < _KEPT_LINES:
            draft.firmware.append((line, words[:_KEPT_CHARACTERS]))

    def _current(self, name: str, line: int) -> _BootDraft | None:
        """The boot that a word belongs to; a load behind the whole of a boot begins one without a banner."""
        draft = self.drafts[-1] if self.drafts else None
        if draft is None or (name == "load" and draft.loaded):
            if name in self._after_loading:
                return None
            draft = _BootDraft(line)
            self.drafts.append(draft)
        return draft


def _with_banner(line: int, token: re.Match[str]) -> _BootDraft:
    groups = token.groupdict()
    numbers = [groups.get(name) for name in ("cause", "mode", "second")]
    cause, mode, second = (None if number is None else int(number) for number in numbers)
    reset = None if cause is None else BootCause(cause, _CAUSES.get(cause, "unknown"))
    if mode is None:
        return _BootDraft(line, reset)
    pins = [bool(mode & bit) for bit in (4, 2, 1)] if mode in _MODES else [None] * 3
    return _BootDraft(line, reset, BootMode(mode, second, _MODES.get(mode, "unknown"), *pins))


def _take_load(draft: _BootDraft, _name: str, line: int, token: re.Match[str]) -> None:
    draft.segments.append(
        BootSegment(line, int(token["address"], 16), int(token["length"]), int(token["room"]))
    )


def _take_tail(draft: _BootDraft, _name: str, _line: int, token: re.Match[str]) -> None:
    if draft.segments and not draft.loaded and draft.segments[-1].tail is None:
        draft.segments[-1] = draft.segments[-1]._replace(tail=int(token["tail"]))


def _take_chksum(draft: _BootDraft, _name: str, _line: int, token: re.Match[str]) -> None:
    if draft.segments and not draft.loaded and draft.segments[-1].checksum is None:
        draft.segments[-1] = draft.segments[-1]._replace(checksum=int(token["chksum"], 16))


def _take_csum(draft: _BootDraft, _name: str, _line: int, token: re.Match[str]) -> None:
    if draft.checksum is None:
        draft.checksum = int(token["csum"], 16)


def _take_loader(draft: _BootDraft, name: str, line: int, token: re.Match[str]) -> None:
    if draft.loader is None:
        if name == "version":
            draft.loader = LoaderLines(line, token["version"])
        return
    if name == "speed":
        draft.loader = draft.loader._replace(speed=token["speed"])
    elif name == "spi_mode":
        draft.loader = draft.loader._replace(mode=token["spi_mode"])
    elif name == "flash_size" and token["mbit"] is not None:
        size = _size_of_map(int(token["mbit"]), token["slot_kb"])
        draft.loader = draft.loader._replace(flash_size=size)
    elif name == "jump":
        address = None if token["at"] is None else int(token["at"], 16)
        draft.loader = draft.loader._replace(slot=int(token["slot"]), address=address)


def _take_rf_cal(draft: _BootDraft, _name: str, line: int, token: re.Match[str]) -> None:
    sector = int(token["sector"])
    size = _size_of_sector(sector)
    draft.rf_cal = RfCalSector(line, sector, None if size is None else size.name)


def _take_init_data(draft: _BootDraft, name: str, line: int, token: re.Match[str]) -> None:
    draft.init_data_byte = int(token["byte"], 16)
    _take_message(draft, name, line, token)


def _take_message(draft: _BootDraft, name: str, line: int, token: re.Match[str]) -> None:
    if len(draft.messages) < _MOST_MESSAGES:
        draft.messages.append(BootMessage(line, name.replace("_", "-"), token[0]))


def _take_crash(draft: _BootDraft, name: str, line: int, token: re.Match[str]) -> None:
    draft.crashes.take(name, line, token)
    if name not in ("stack-dump", "stack-words", "registers", "backtrace"):
        _take_message(draft, name, line, token)


_MOST_MESSAGES: Final = 40  # a boot that hangs in a loop of its own prints the same line for ever

_HANDLERS: Final = {
    "load": _take_load,
    "ho": lambda *_: None,
    "tail": _take_tail,
    "chksum": _take_chksum,
    "csum": _take_csum,
    "version": _take_loader,
    "speed": _take_loader,
    "spi_mode": _take_loader,
    "flash_size": _take_loader,
    "jump": _take_loader,
    "rf_cal": _take_rf_cal,
    "init_data": _take_init_data,
    "cut-here": lambda *_: None,
    **dict.fromkeys(CRASH_TOKENS, _take_crash),
}

_RF_CAL_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "rf-cal")
_BLOCK: Final = 16  # the ROM reads flash in blocks of this many bytes
_HEADER: Final = 8  # of an image, and of a segment


def _checked(segments: Sequence[BootSegment], *, whole: bool) -> Iterator[BootSegment]:
    """The segments, each with whether its numbers agree with where it must lie in the image.

    Seen in every log that was looked at: the first segment has room 16, the next have what is left of the
    block behind the headers, and the tail is what does not fill a block.
    """
    position = _HEADER + _HEADER if whole else None
    for segment in segments:
        _, _, length, room, tail, _, _ = segment
        fits = position is None or (position + room) % _BLOCK == 0
        ends = tail is None or length < room or (length - room) % _BLOCK == tail
        yield segment._replace(consistent=fits and ends)
        position = (_HEADER + length - room) % _BLOCK


def _size_of_map(mbit: int, slot_kb: str | None) -> str | None:
    """The name of the flash size that the boot loader prints; the first loaders print no slots."""
    sizes = [size for size in FLASH_SIZES if size.bytes * 8 == mbit << 20]
    if slot_kb is not None:
        sizes = [size for size in sizes if size.ota_slot == int(slot_kb) << 10]
    return sizes[0].name if sizes else None


def _size_of_sector(sector: int) -> FlashSize | None:
    """The flash of which this is the RF-cal sector of every SDK example, the 5th from the end."""
    end = (sector + _RF_CAL_FROM_END) * SECTOR
    return next((size for size in FLASH_SIZES if size.bytes == end and size.name != "256KB"), None)
