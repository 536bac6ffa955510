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
)
from imgtool.formats.logs.crash_reader import CrashReader
from imgtool.formats.logs.line_forms import BootStage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.chip import FlashSize
    from imgtool.formats.logs.boot_lines import LineTable
    from imgtool.formats.logs.line_forms import LineForm

__all__ = ["read"]

_WORD: Final = re.compile(r"[^\x00-/:-@\[-`{-~]")  # anything but punctuation
_EBOOT_WORD: Final = re.compile(r"v[0-9a-f]{8}")  # Arduino's boot loader: the word at 0x1010
_KEPT_LINES: Final = 3
_KEPT_CHARACTERS: Final = 200
_LONGEST_CUT: Final = 400  # characters
_KEPT_ALIKE: Final = 20  # messages of one kind in a boot: one that hangs in a loop prints the same for ever
# Of the boot loader only behind its first line: other firmware has lines like them.
_LOADER_TOKENS: Final = ("speed", "spi_mode", "flash_size", "jump")

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
    cut = _cut_line(text, table)
    for number, line in lines(text):
        found = table.found_in(line)
        if line == cut:
            found = [each for each in found if not each[0].fallback]
        for row, token in found:
            other_chip = other_chip or row.name == "other_chip"
            reader.take(row, number, token)
        draft = reader.draft
        if draft is None or (draft.crashes.begun and draft.crashes.take_line(line)) or line == cut:
            continue
        if draft.loaded and (left := _left_of(line, found) if found else line) and _WORD.search(left):
            draft.take_text(number, left.strip())
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
    return BootLog((), noise=noise, garbled=text if noise else garbled, readable=readable)


def _cut_line(text: str, table: LineTable) -> str | None:
    """The last line, if it was cut and is the beginning of one that is known: it is nobody's own text."""
    if text.endswith(("\n", "\r")):
        return None
    last = [line for _, line in lines(text[-_LONGEST_CUT:])][-1:]
    return last[0] if last and table.begins_like(last[0]) else None


def _left_of(text: str, found: Sequence[tuple[LineForm, re.Match[str]]]) -> str:
    """What of a line is the firmware's own: all of it, or what was glued to a line of the ROM."""
    known = [row for row, _ in found if not row.fallback]
    if not known:
        return text
    return "" if max(row.stage for row in known) else text[found[-1][1].end() :]


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
    flash_size: str | None = None
    messages: list[BootMessage] = field(default_factory=list)
    latest: dict[str, BootMessage] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    stage: BootStage = BootStage.ROM
    begun: BootStage = BootStage.ROM
    firmware: list[tuple[int, str]] = field(default_factory=list)
    firmware_lines: int = 0
    noise: bool = False
    last_line: int = 0
    crashes: CrashReader = field(default_factory=CrashReader)

    @property
    def loaded(self) -> bool:
        return self.checksum is not None or self.stage > BootStage.ROM

    @property
    def only_begun(self) -> bool:
        return not (self.cause or self.segments or self.latest or self.loaded)

    def add(self, message: BootMessage) -> None:
        """Keep a message: the first ones of its kind, and the last one."""
        kind = message.kind
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.latest[kind] = message
        if self.counts[kind] <= _KEPT_ALIKE:
            self.messages.append(message)

    def take_text(self, line: int, words: str) -> None:
        """A line of the firmware's own, once an image was loaded."""
        self.last_line = line
        if not self.firmware_lines and _EBOOT_WORD.fullmatch(words):
            return
        self.firmware_lines += 1
        if len(self.firmware) >= _KEPT_LINES and (self.noise or words.isprintable()):
            return
        if not words.isprintable() or not is_readable(words):
            self.noise = True
        elif len(self.firmware) < _KEPT_LINES:
            self.firmware.append((line, words[:_KEPT_CHARACTERS]))

    def kept(self) -> tuple[BootMessage, ...]:
        later = [self.latest[kind] for kind, count in self.counts.items() if count > _KEPT_ALIKE]
        return tuple(sorted((*self.messages, *later), key=lambda message: message.line))

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
            flash_size=self.flash_size,
            messages=self.kept(),
            stage=self.stage,
            firmware=tuple(self.firmware),
            firmware_lines=self.firmware_lines,
            noise=self.noise,
            crashes=self.crashes.crashes(),
            last_line=self.last_line,
            crash_count=self.crashes.count,
        )


class _LogReader:
    """Takes the known words of a log in order, and puts them into boots."""

    def __init__(self, table: LineTable) -> None:
        self.drafts: list[_BootDraft] = []
        self._sized = frozenset(
            name for name, row in table.rows.items() if any(f"<{group}>" in row.form for group in _SIZES)
        )

    def take(self, row: LineForm, line: int, token: re.Match[str]) -> None:
        if row.name in ("banner", "half_banner"):
            if self.drafts and self.drafts[-1].only_begun:
                self.drafts.pop()  # a banner that was broken into two lines
            self.drafts.append(_with_banner(line, token))
        elif row.name != "other_chip":
            draft = self._current(row, line)
            if draft is not None:
                draft.last_line = line
                draft.stage = max(draft.stage, row.stage)
                if row.name in self._sized:
                    draft.flash_size = draft.flash_size or _size_told(token)
                if row.crash:
                    draft.crashes.take(row.name, line, token)
                _HANDLERS.get(row.name, _take_message)(draft, row.name, line, token)

    @property
    def draft(self) -> _BootDraft | None:
        """The boot that is being read."""
        return self.drafts[-1] if self.drafts else None

    def _current(self, row: LineForm, line: int) -> _BootDraft | None:
        """The boot that a word belongs to.

        A load behind the whole of a boot begins one without a banner, and so does the second banner of a
        boot loader, of an SDK or of a firmware.
        """
        draft = self.draft
        again = draft is not None and (
            (row.name == "load" and draft.loaded)
            or (row.name == "rf_cal" and draft.rf_cal is not None)
            or (row.begins and row.stage <= draft.begun)
            or (row.begins and row.stage == BootStage.LOADER < draft.stage)
        )
        if draft is None or again:
            if row.after_loading and draft is None:
                return None
            draft = _BootDraft(line)
            self.drafts.append(draft)
        if row.begins:
            draft.begun = max(draft.begun, row.stage)
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
        draft.loader = draft.loader._replace(flash_size=_size_of_map(int(token["mbit"]), token["slot_kb"]))
    elif name == "jump":
        address = None if token["at"] is None else int(token["at"], 16)
        draft.loader = draft.loader._replace(slot=int(token["slot"]), address=address)


def _size_told(token: re.Match[str]) -> str | None:
    """The flash size that a line names, by the groups of its form: megabits, bytes, or a name."""
    groups = {key: value for key, value in token.groupdict().items() if value is not None}
    for key, bits in _SIZE_GROUPS.items():
        if key in groups:
            return _size_of_map(int(groups[key], 0) * bits >> 20, groups.get("slot_kb"))
    return next((size.name for size in FLASH_SIZES if size.name == groups.get("named")), None)


# What a number in a group of that name counts, in bits.
_SIZE_GROUPS: Final = {"mbit": 1 << 20, "rboot_mbit": 1 << 20, "flash_bytes": 8}
_SIZES: Final = (*_SIZE_GROUPS, "named")


def _take_rf_cal(draft: _BootDraft, _name: str, line: int, token: re.Match[str]) -> None:
    sector = int(token["sector"])
    size = _size_of_sector(sector)
    draft.rf_cal = RfCalSector(line, sector, None if size is None else size.name)


def _take_init_data(draft: _BootDraft, name: str, line: int, token: re.Match[str]) -> None:
    draft.init_data_byte = int(token["byte"], 16)
    _take_message(draft, name, line, token)


def _take_message(draft: _BootDraft, name: str, line: int, token: re.Match[str]) -> None:
    draft.add(BootMessage(line, name.replace("_", "-"), token[0]))


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
    **dict.fromkeys(
        ("rboot-size", "cut-here", "stack-dump", "stack-words", "registers", "backtrace"), lambda *_: None
    ),
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
