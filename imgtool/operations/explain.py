"""What a boot log says: verdict, cause and cure.

Knows the lines that the boot ROM, Espressif's boot loader and the non-OS SDK print before the application
runs.  Not a serial monitor, and no decoder of exceptions or stacks: lines that are not known are passed over.
What the lines mean and where that is known from: docs/how-to/boot-logs.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, SDK_SECTORS, SECTOR, memory_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imgtool.chip import FlashSize

__all__ = [
    "Boot",
    "BootMessage",
    "BootMode",
    "BootSegment",
    "Cure",
    "Explanation",
    "LoaderLines",
    "ResetCause",
    "RfCalSector",
    "Verdict",
    "explain",
]


class Verdict(StrEnum):
    """What a boot log comes to."""

    RUNS = "runs"
    DOWNLOAD = "download"
    STRAPS = "straps"
    BOOT_LOOP = "boot-loop"
    BAD_IMAGE = "bad-image"
    NO_IMAGE = "no-image"
    INIT_DATA = "init-data"
    TOO_SMALL_FLASH = "too-small-flash"
    PARTITION_TABLE = "partition-table"
    UNFINISHED = "unfinished"
    WRONG_BAUD = "wrong-baud"
    NOTHING_KNOWN = "nothing-known"


class Cure(NamedTuple):
    """What to do: a sentence that says when it helps, and the commands, which may be none."""

    text: str
    commands: tuple[str, ...] = ()


class ResetCause(NamedTuple):
    """Why the chip started, from ``rst cause:N``."""

    code: int
    name: str


class BootMode(NamedTuple):
    """Where the ROM boots from, by the straps: the first number of ``boot mode:(M,N)``.

    Attributes:
        code: The number; its bits are the levels of three pins at reset.
        second: The second number, which says nothing in the modes that occur.
        name: What the ROM does.
        gpio15: Bit 2, the level of GPIO15; None where the code is no strap code.
        gpio0: Bit 1.
        gpio2: Bit 0.
    """

    code: int
    second: int | None
    name: str
    gpio15: bool | None
    gpio0: bool | None
    gpio2: bool | None


class BootSegment(NamedTuple):
    """A segment that the ROM loads, from ``load``, ``tail`` and ``chksum``.

    Attributes:
        line: Line of the log, from 1.
        address: Load address.
        length: Bytes; negative where the ROM printed it so.
        room: Bytes of the current 16-byte block that are left for it.
        tail: Bytes of it in its last block, if the line is there.
        checksum: XOR checksum so far, if the line is there.
        consistent: Whether length, room and tail agree; if not, the log has lost characters.
    """

    line: int
    address: int
    length: int
    room: int
    tail: int | None = None
    checksum: int | None = None
    consistent: bool = True

    @property
    def plausible(self) -> bool:
        """Whether the chip has memory there, so that this can be a segment of an image."""
        region = memory_at(self.address)
        return region is not None and region.name not in ("DPORT", "ROM", "IROM") and self.length >= 0


class LoaderLines(NamedTuple):
    """What Espressif's boot loader says: version, header values and the slot that it starts.

    Attributes:
        line: Line of its first message.
        version: Such as ``1.7(5d6f877)``.
        speed: SPI speed of the header.
        mode: SPI mode of the header.
        flash_size: Flash size of the header by its name here, such as ``2MB-c1``; None if it has none.
        slot: 1 for user1, 2 for user2.
        address: Flash address of the slot.
    """

    line: int
    version: str | None = None
    speed: str | None = None
    mode: str | None = None
    flash_size: str | None = None
    slot: int | None = None
    address: int | None = None


class RfCalSector(NamedTuple):
    """The sector that the firmware keeps its RF calibration in, from ``rf cal sector: N``.

    Attributes:
        line: Line of the log.
        sector: The number.
        flash_size: The size that it is the 5th sector from the end of; None for a place of the vendor's own.
    """

    line: int
    sector: int
    flash_size: str | None


class BootMessage(NamedTuple):
    """Another line that is known.

    Attributes:
        line: Line of the log.
        kind: Short stable name, such as ``csum-err``.
        text: The words of the log.
    """

    line: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of the chip.

    Attributes:
        line: Its first line in the log, from 1.
        cause: Why it started; None where the banner is not in the log, or cut.
        mode: How the straps stood; None likewise.
        segments: What the ROM loaded.
        checksum: The checksum over all of them, from ``csum``; None where the ROM did not get there.
        loader: Espressif's boot loader, if it is there.
        rf_cal: The RF-cal sector that the firmware names.
        init_data_byte: The byte that stands where init data should begin, from ``rf_cal[0] !=0x05,is``.
        messages: Other known lines.
        firmware: The first readable lines behind the loading, with their numbers.
        firmware_lines: How many lines stand there.
        noise: Whether some of them are unreadable.
    """

    line: int
    cause: ResetCause | None = None
    mode: BootMode | None = None
    segments: tuple[BootSegment, ...] = ()
    checksum: int | None = None
    loader: LoaderLines | None = None
    rf_cal: RfCalSector | None = None
    init_data_byte: int | None = None
    messages: tuple[BootMessage, ...] = ()
    firmware: tuple[tuple[int, str], ...] = ()
    firmware_lines: int = 0
    noise: bool = False

    def has(self, *kinds: str) -> bool:
        """Whether there is a message of one of these kinds."""
        return any(message.kind in kinds for message in self.messages)

    def text_of(self, kind: str) -> str:
        """The first message of a kind, empty where there is none."""
        return next((message.text for message in self.messages if message.kind == kind), "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a boot log says.

    Attributes:
        verdict: What it comes to.
        sentence: The same as a sentence.
        cause: What is behind it, and how causes can be told apart where there are several.
        cures: What to do, the likeliest first.
        boots: Every start of the chip in the log.
        repeats: How many boots at the end of the log are alike.
        notes: What else is to be said.
    """

    verdict: Verdict
    sentence: str
    cause: str
    cures: tuple[Cure, ...] = ()
    boots: tuple[Boot, ...] = ()
    repeats: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing in the log is wrong and it says so."""
        return self.verdict in (Verdict.RUNS, Verdict.DOWNLOAD)

    @property
    def foreign(self) -> bool:
        """Whether this is no boot log of an ESP8266."""
        return not self.boots


def explain(log: bytes | str) -> Explanation:
    """Say what a boot log comes to, why, and what to do.

    Takes anything: whole logs, pieces of them, several boots, with the prefixes of a monitor, with noise.  It
    judges the last boot that says enough.

    Args:
        log: The log as it was recorded, or as text.
    """
    text = log if isinstance(log, str) else _decoded(log)
    boots, other_chip = _read(text)
    if not boots:
        return _no_log(text, other_chip=other_chip)
    outcomes = [_judged(boot) for boot in boots]
    last = len(boots) - 1
    cut = outcomes[last].verdict is Verdict.UNFINISHED
    # A log is often cut in the middle of its last boot; the one before it says more.
    chosen = last - 1 if cut and last and outcomes[last - 1].verdict in _FAILURES else last
    outcome = outcomes[chosen]
    repeats = _repeats(boots)
    if outcome.verdict not in _FAILURES and outcome.verdict not in (Verdict.DOWNLOAD, Verdict.STRAPS):
        outcome = _loop(boots, repeats) or outcome
    notes = (*outcome.notes, *_notes(boots, chosen, outcome.verdict))
    return Explanation(outcome.verdict, outcome.sentence, outcome.cause, outcome.cures, boots, repeats, notes)


# Reading.

# Colours and cursor movements of terminals, ECMA-48 5.4; other control characters are dropped.
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]{0,16}[ -/]{0,4}[@-~]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_ENDS: Final = re.compile(r"\r{0,2}\n|\r")
# What monitors put in front of a line: "12:01:02.123 -> ", "[13:16:42.487] ", "2019-12-12 09:45:36,678 # ".
_PREFIX: Final = re.compile(
    r"\s{0,8}\[?(?:\d{4}[-./]\d\d[-./]\d\d[ T,]{0,2})?\d\d:\d\d:\d\d(?:[.,:]\d{1,6})?[\],]?\s?(?:->|#|:|\|)?"
)
_WORD: Final = re.compile(r"[^\x00-/:-@\[-`{-~]")  # anything but punctuation
_LONGEST_LINE: Final = 1 << 16  # what is longer is no line of a log
_KEPT_LINES: Final = 3
_KEPT_CHARACTERS: Final = 200

# One row for each line that is known: name, words that it cannot be without, form.  The forms are those of
# real logs, docs/how-to/boot-logs.md; monitors and forums change spaces, glue lines together and cut them, so
# rows are looked for anywhere in a line.
_ROWS: Final = (
    (
        "banner",
        "cause:",
        (
            r"(?:ets\s{1,4}Jan\s{1,4}8\s{1,4}2013[,\s]{0,4})?rst\s?cause:\s{0,2}(?P<cause>\d{1,2})\b"
            r"(?:[,\s]{1,4}boot mode:\s{0,2}\((?P<mode>\d{1,2})(?:[,\s]{1,3}(?P<second>\d{1,2}))?)?"
        ),
    ),
    ("half_banner", "2013", r"ets\s{1,4}Jan\s{1,4}8\s{1,4}2013"),
    ("other_chip", "rst:0x|ESP-ROM", r"rst:0x[0-9a-f]{1,2} \([A-Z0-9_]{1,40}\),boot:0x|ESP-ROM:esp32"),
    (
        "load",
        "load 0x",
        r"load 0x(?P<address>[0-9a-f]{1,8}), {0,2}len (?P<length>-?\d{1,10}), {0,2}room (?P<room>\d{1,3})\b",
    ),
    ("ho", "ho ", r"\bho \d{1,3} tail \d{1,3} room \d{1,3}\b"),
    ("tail", "tail ", r"\btail (?P<tail>\d{1,3})\b"),
    ("chksum", "chksum 0x", r"\bchksum 0x(?P<chksum>[0-9a-f]{2})"),
    ("csum-err", "csum err", r"\bcsum err"),
    ("csum", "csum 0x", r"\bcsum 0x(?P<csum>[0-9a-f]{2})"),
    ("ets-main", "ets_main", r"\bets_main\.c(?: {1,2}\d{1,4}\b)?"),
    ("flash-read-err", "flash read err", r"\bflash read err(?:, ?(?:ets_unpack_flash_code|\d{1,5}))?"),
    ("waiting", "waiting for host", r"\bwaiting for host"),
    ("wdt-reset", "wdt reset", r"(?<!Soft )(?<!soft )\bwdt reset\b"),
    ("version", "2nd boot", r"\b2nd boot version ?: ?(?P<version>[\w.()-]{1,40})"),
    ("speed", "SPI Speed", r"\bSPI Speed {1,12}: ?(?P<speed>[\d.]{1,6} ?MHz)"),
    ("spi_mode", "SPI Mode", r"\bSPI Mode {1,12}: ?(?P<spi_mode>[A-Z]{3,4})\b"),
    (
        "flash_size",
        "SPI Flash Size",
        (
            r"\bSPI Flash Size(?: & Map)? {0,12}: ?(?P<mbit>\d{1,3}) ?Mbit"
            r"(?:\((?P<slot_kb>\d{1,4})KB\+\d{1,4}KB\))?"
        ),
    ),
    ("jump", "jump to run", r"\bjump to run user(?P<slot>[12])\b(?: ?@ ?(?P<at>[0-9a-f]{1,6})\b)?"),
    ("error-magic", "error magic", r"\berror magic ?!"),
    ("flash-addr", "flash_addr", r"\bget flash_addr error ?!"),
    ("first-failed", "first boot failed", r"\bfirst boot failed, reboot to try backup bin"),
    ("backup-failed", "backup boot failed", r"\bbackup boot failed"),
    ("user-code-done", "user code done", r"\buser code done"),
    ("rf_cal", "rf cal sector", r"\brf cal sector: {0,2}(?P<sector>\d{1,5})\b"),
    ("rf-byte", "rf[11", r"\brf\[11[234]\] ?: ?[0-9a-f]{2}\b"),
    ("init_data", "rf_cal[0]", r"\brf_cal\[0\] ?!= ?0x05, ?is 0x(?P<byte>[0-9A-Fa-f]{1,2})\b"),
    ("sdk-version", "SDK ver", r"\bSDK ver: {0,2}[\w.()-]{1,40}(?: compiled @ [\w :]{1,30})?"),
    ("invalid-table", "Invalid system", r"\bInvalid system partition table"),
    ("alignment", "invalid alignment", r"\bPartition \d{1,10} invalid alignment"),
    ("too-small", "too small to", r"\bFlash size \((?P<bytes>\d{1,10})\) too small to support NodeMCU"),
    ("table-too-large", "partition table size", r"\bThe partition table size is larger than flash size"),
    ("table-failed", "table_regist", r"\bsystem_partition_table_regist fail"),
    (
        "mismatch",
        "spi_size_map",
        r"\bmismatch map {0,2}(?P<map>\d{1,2}), ?spi_size_map {0,2}(?P<size_map>\d{1,2})\b",
    ),
    # Not read further, but firmware that prints one of these does not run well.
    (
        "alarm",
        "xception|>>>stack|oft wdt|oft WDT|table error|abort()|Guru",
        (
            r"\bFatal exception|\bException \(\d{1,2}\)|>>>stack>>>|\b[Ss]oft (?:WDT|wdt) reset|"
            r"\bload partition table error ?!|\babort\(\) was called|\bGuru Meditation"
        ),
    ),
)
_TOKEN: Final = re.compile("|".join(f"(?P<{name.replace('-', '_')}_>{row})" for name, _, row in _ROWS))
_TOKEN_NAMES: Final = {f"{name.replace('-', '_')}_": name for name, _, _ in _ROWS}
# Most lines have none of these; looking for them first saves most of the time.
_MARKS: Final = tuple(mark for _, marks, _ in _ROWS for mark in marks.split("|"))
# Of the boot loader only behind its first line: other firmware has lines like them.
_LOADER_TOKENS: Final = ("speed", "spi_mode", "flash_size", "jump")
# What only means something once an image was started.
_AFTER_LOADING: Final = ("error-magic", "first-failed", "backup-failed", "user-code-done", "alarm")

_CAUSES: Final = {
    0: "no cause recorded",
    1: "power on",
    2: "external reset: RST or EN pin, or wake-up from deep sleep",
    3: "software reset",
    4: "hardware watchdog",
    5: "deep sleep timer",
    6: "deep sleep, power on",
}
_DOWNLOAD: Final = 1
_FLASH: Final = 3
_WATCHDOG: Final = 4
_POWER_ON: Final = 1
_MODES: Final = {
    0: "remap boot",
    _DOWNLOAD: "download over UART",
    2: "jump boot",
    _FLASH: "boot from flash",
    # The sources agree that these are SDIO, and contradict each other on speed and version.
    4: "SDIO",
    5: "SDIO",
    6: "SDIO",
    7: "SDIO",
}


def _decoded(log: bytes) -> str:
    """The text of a log; noise is no UTF-8, but a log that went through an editor may be."""
    try:
        return log.decode("utf-8-sig")
    except UnicodeDecodeError:
        return log.decode("latin-1")


class _Line(NamedTuple):
    number: int
    text: str


def _lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(_LINE_ENDS.split(text), 1):
        if line:
            yield _Line(number, _CONTROLS.sub("", _ESCAPES.sub("", line[:_LONGEST_LINE])).replace("\t", " "))


def _read(text: str) -> tuple[tuple[Boot, ...], bool]:
    """The boots of a log, and whether a line is another chip's."""
    reader = _Reader()
    other_chip = False
    for line in _lines(text):
        marked = any(mark in line.text for mark in _MARKS)
        tokens = list(_TOKEN.finditer(line.text)) if marked else []
        for token in tokens:
            name = _TOKEN_NAMES[token.lastgroup or ""]
            other_chip = other_chip or name == "other_chip"
            reader.take(name, line.number, token)
        rest = line.text[tokens[-1].end() :] if tokens else _PREFIX.sub("", line.text, count=1)
        reader.take_text(line.number, rest)
    if other_chip:
        return (), True
    return tuple(draft.boot() for draft in reader.drafts), False


@dataclass(slots=True)
class _Draft:
    """A boot that is being read."""

    line: int
    cause: ResetCause | None = None
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

    @property
    def loaded(self) -> bool:
        return self.checksum is not None or self.loader is not None or self.rf_cal is not None

    @property
    def only_begun(self) -> bool:
        return not (self.cause or self.segments or self.messages or self.loaded)

    def boot(self) -> Boot:
        return Boot(
            self.line,
            self.cause,
            self.mode,
            tuple(_checked(self.segments, whole=self.cause is not None)),
            self.checksum,
            self.loader,
            self.rf_cal,
            self.init_data_byte,
            tuple(self.messages),
            tuple(self.firmware),
            self.firmware_lines,
            self.noise,
        )


class _Reader:
    """Takes the known words of a log in order, and puts them into boots."""

    def __init__(self) -> None:
        self.drafts: list[_Draft] = []

    def take(self, name: str, line: int, token: re.Match[str]) -> None:
        if name in ("banner", "half_banner"):
            if self.drafts and self.drafts[-1].only_begun:
                self.drafts.pop()  # a banner that was broken into two lines
            self.drafts.append(_with_banner(line, token))
        elif name != "other_chip":
            draft = self._current(name, line)
            if draft is not None:
                _HANDLERS.get(name, _take_message)(draft, name, line, token)

    def take_text(self, line: int, text: str) -> None:
        """What is left of a line: of the firmware, if an image was loaded."""
        words = text.strip()
        if not _WORD.search(words) or not self.drafts or not self.drafts[-1].loaded:
            return
        draft = self.drafts[-1]
        draft.firmware_lines += 1
        if _readable(words) < _LEAST_READABLE:
            draft.noise = True
        elif len(draft.firmware) < _KEPT_LINES:
            draft.firmware.append((line, words[:_KEPT_CHARACTERS]))

    def _current(self, name: str, line: int) -> _Draft | None:
        """The boot that a word belongs to; a load behind the whole of a boot begins one without a banner."""
        draft = self.drafts[-1] if self.drafts else None
        if draft is None or (name == "load" and draft.loaded):
            if name in _AFTER_LOADING or name in _LOADER_TOKENS:
                return None
            draft = _Draft(line)
            self.drafts.append(draft)
        return draft


def _with_banner(line: int, token: re.Match[str]) -> _Draft:
    cause, mode, second = (
        None if token[name] is None else int(token[name]) for name in ("cause", "mode", "second")
    )
    reset = None if cause is None else ResetCause(cause, _CAUSES.get(cause, "unknown"))
    if mode is None:
        return _Draft(line, reset)
    pins = [bool(mode & bit) for bit in (4, 2, 1)] if mode in _MODES else [None] * 3
    return _Draft(line, reset, BootMode(mode, second, _MODES.get(mode, "unknown"), *pins))


def _take_load(draft: _Draft, _name: str, line: int, token: re.Match[str]) -> None:
    draft.segments.append(
        BootSegment(line, int(token["address"], 16), int(token["length"]), int(token["room"]))
    )


def _take_tail(draft: _Draft, _name: str, _line: int, token: re.Match[str]) -> None:
    if draft.segments and not draft.loaded and draft.segments[-1].tail is None:
        draft.segments[-1] = draft.segments[-1]._replace(tail=int(token["tail"]))


def _take_chksum(draft: _Draft, _name: str, _line: int, token: re.Match[str]) -> None:
    if draft.segments and not draft.loaded and draft.segments[-1].checksum is None:
        draft.segments[-1] = draft.segments[-1]._replace(checksum=int(token["chksum"], 16))


def _take_csum(draft: _Draft, _name: str, _line: int, token: re.Match[str]) -> None:
    if draft.checksum is None:
        draft.checksum = int(token["csum"], 16)


def _take_loader(draft: _Draft, name: str, line: int, token: re.Match[str]) -> None:
    if draft.loader is None:
        if name == "version":
            draft.loader = LoaderLines(line, token["version"])
        return
    if name == "speed":
        draft.loader = draft.loader._replace(speed=token["speed"])
    elif name == "spi_mode":
        draft.loader = draft.loader._replace(mode=token["spi_mode"])
    elif name == "flash_size":
        size = _size_of_map(int(token["mbit"]), token["slot_kb"])
        draft.loader = draft.loader._replace(flash_size=size)
    elif name == "jump":
        address = None if token["at"] is None else int(token["at"], 16)
        draft.loader = draft.loader._replace(slot=int(token["slot"]), address=address)


def _take_rf_cal(draft: _Draft, _name: str, line: int, token: re.Match[str]) -> None:
    sector = int(token["sector"])
    size = _size_of_sector(sector)
    draft.rf_cal = RfCalSector(line, sector, None if size is None else size.name)


def _take_init_data(draft: _Draft, name: str, line: int, token: re.Match[str]) -> None:
    draft.init_data_byte = int(token["byte"], 16)
    _take_message(draft, name, line, token)


def _take_message(draft: _Draft, name: str, line: int, token: re.Match[str]) -> None:
    if len(draft.messages) < _MOST_MESSAGES:
        draft.messages.append(BootMessage(line, name.replace("_", "-"), token[0]))


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
}

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


# Judging.

_FAILURES: Final = (
    Verdict.BAD_IMAGE,
    Verdict.NO_IMAGE,
    Verdict.INIT_DATA,
    Verdict.TOO_SMALL_FLASH,
    Verdict.PARTITION_TABLE,
)
_RF_CAL_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "rf-cal")
_INIT_DATA_FROM_END: Final = next(sector.from_end for sector in SDK_SECTORS if sector.name == "init-data")
_ERASED: Final = 0xFF
_SEED: Final = 0xEF  # of the image checksum: what is left when all data is zero
_ALL_ONES: Final = 0xFFFF_FFFF
_LEAST_STARTS: Final = 3  # alike, before a loop is called one: a user resets once or twice
_LEAST_HANGS: Final = 2  # of the watchdog: one may be the end of another firmware

_INSPECT: Final = "imgtool inspect FILE"
_WRITE: Final = "esptool write-flash 0 FILE"
_VERIFY: Final = "esptool verify-flash 0 FILE"
_MONITOR: Final = "python -m serial.tools.miniterm PORT 74880"


class _Outcome(NamedTuple):
    verdict: Verdict
    sentence: str
    cause: str
    cures: tuple[Cure, ...] = ()
    notes: tuple[str, ...] = ()


def _judged(boot: Boot) -> _Outcome:
    """What one boot comes to; the first rule that knows says it."""
    return next(outcome for rule in _RULES if (outcome := rule(boot)) is not None)


def _init_data(boot: Boot) -> _Outcome | None:
    if boot.init_data_byte is None:
        return None
    size = _header_size(boot)
    found = (
        "The flash is erased there"
        if boot.init_data_byte == _ERASED
        else f"0x{boot.init_data_byte:02X} stands there: something else was written to that sector, such as "
        "the RF calibration of Arduino firmware, which older NodeMCU does not replace by itself"
    )
    where = (
        f"For {size.name}, the flash size of this log, init data begins at 0x{_init_address(size):05x}."
        if size
        else f"The log does not tell the flash size. Init data begins at: {_address_table()}."
    )
    cause = f"The SDK finds no init data where it looks for it: the first byte must be 0x05. {found}. {where}"
    first = () if size else (Cure("Find the size of the flash chip.", ("esptool flash-id",)),)
    cures = (*first, *_init_data_cures(boot, size))
    notes = (
        (
            "The SDK takes the flash size from the image header, not from the chip; imgtool inspect "
            "0x00000.bin shows it. If init data was written and this message stays, the header has another "
            "size."
        ),
        (
            "NodeMCU 3.0 and later keeps init data elsewhere (0x0f000, early builds 0x0c000) and writes it "
            "itself; there, writing 0x10000.bin again makes it do so."
        ),
    )
    return _Outcome(Verdict.INIT_DATA, "The SDK stops: its init data is missing.", cause, cures, notes)


def _init_data_cures(boot: Boot, size: FlashSize | None) -> tuple[Cure, ...]:
    """How init data gets to its place; firmware with a boot loader has no image of a whole flash here."""
    address = f"0x{_init_address(size):05x}" if size else "ADDRESS"
    rf_cal = f"0x{size.bytes - _RF_CAL_FROM_END * SECTOR:05x}" if size else "RF_CAL_ADDRESS"
    if boot.rf_cal is not None:
        rf_cal = f"0x{boot.rf_cal.sector * SECTOR:05x}"
    erase = f"esptool erase-region {rf_cal} 0x1000"
    behind = "" if size or boot.rf_cal else ", which is the one in front of it"
    if boot.loader is not None:
        return (
            Cure(
                "Write the init data that comes with the SDK of the firmware, and erase the RF-cal "
                f"sector{behind}.",
                (f"esptool write-flash {address} esp_init_data_default_v05.bin", erase),
            ),
        )
    made = f"imgtool fullimage --size {size.name if size else 'SIZE'} --init-data v05 -o flash.bin"
    return (
        Cure(
            "Write the whole flash, with init data in its place; this replaces the files on the chip. In the "
            "folder of 0x00000.bin and 0x10000.bin:",
            (made, "esptool write-flash 0 flash.bin"),
        ),
        Cure(
            "To keep the files on the chip, write only the init data of that image, and erase the RF-cal "
            f"sector{behind}.",
            (
                made,
                "imgtool split flash.bin -o parts",
                f"esptool write-flash {address} parts/{address}.bin",
                erase,
            ),
        ),
    )


def _header_size(boot: Boot) -> FlashSize | None:
    """The flash size of the header: as the boot loader says, or else as the RF-cal sector implies."""
    name = boot.loader.flash_size if boot.loader else None
    if name is None and boot.rf_cal is not None:
        name = boot.rf_cal.flash_size
    return next((size for size in FLASH_SIZES if size.name == name), None)


def _init_address(size: FlashSize) -> int:
    return size.bytes - _INIT_DATA_FROM_END * SECTOR


def _address_table() -> str:
    rows = {size.bytes: size for size in reversed(FLASH_SIZES) if size.name != "256KB"}
    return ", ".join(f"0x{_init_address(rows[size]):05x} for {rows[size].name}" for size in sorted(rows))


def _too_small(boot: Boot) -> _Outcome | None:
    if not boot.has("too-small"):
        return None
    found = boot.text_of("too-small")
    return _Outcome(
        Verdict.TOO_SMALL_FLASH,
        "NodeMCU stops: it takes the flash for too small.",
        f"It says '{found}'. NodeMCU 3.0 and later needs 1 MB, and takes the size from the image header. "
        "Either the header is wrong, or the chip is really that small: flash-id tells the size of the "
        "chip.",
        (
            Cure("Ask the chip for its size.", ("esptool flash-id",)),
            Cure(
                "If it has 1 MB or more: put that size into the header.",
                (
                    "imgtool fullimage --size SIZE 0x00000.bin 0x10000.bin -o flash.bin",
                    "esptool write-flash 0 flash.bin",
                ),
            ),
            Cure(
                "If it has 512 KB: take NodeMCU 2.2 or earlier; imgtool inspect shows the version.",
                (_INSPECT,),
            ),
        ),
    )


def _partition_table(boot: Boot) -> _Outcome | None:
    kinds = ("invalid-table", "alignment", "table-too-large", "table-failed", "mismatch")
    if not boot.has(*kinds):
        return None
    found = next(message.text for message in boot.messages if message.kind in kinds)
    again = Cure(
        "Find the size of the chip, and make an image whose header says it.",
        (
            "esptool flash-id",
            "imgtool fullimage --size SIZE 0x00000.bin 0x10000.bin -o flash.bin",
            "esptool write-flash 0 flash.bin",
        ),
    )
    mismatch = re.search(r"map\s{0,2}(\d+).*?(\d+)$", boot.text_of("mismatch"))
    if mismatch:
        built, header = (_size_name(int(number)) for number in mismatch.groups())
        cause = (
            f"It says '{boot.text_of('mismatch')}': the firmware was built for the map of {built}, and the "
            f"header has that of {header}."
        )
        cures = (
            Cure("See which size the header has.", (_INSPECT,)),
            Cure(
                "Write the file at 0 again with the size that the firmware was built for, if the chip has "
                "it.",
                (f"esptool write-flash -fs {built} 0 FILE",),
            ),
        )
    elif boot.has("alignment"):
        cause = (
            f"It says '{found}': an entry of NodeMCU's table lies outside the flash, overlaps another or "
            "does not begin at a sector. Mostly the header has a smaller size than the table was made "
            "for."
        )
        cures = (Cure("See table and header.", ("imgtool inspect 0x00000.bin 0x10000.bin",)), again)
    else:
        cause = (
            f"It says '{found}': the table of the firmware does not fit the flash size in the image "
            "header. Either the header has a smaller size than the chip, or the firmware is for a larger "
            "chip."
        )
        cures = (Cure("See which size the header has.", ("imgtool inspect 0x00000.bin",)), again)
    return _Outcome(Verdict.PARTITION_TABLE, "The firmware stops at its partition table.", cause, cures)


def _size_name(code: int) -> str:
    return next((size.name for size in FLASH_SIZES if size.code == code), f"number {code}")


def _bad_image(boot: Boot) -> _Outcome | None:
    broken = [segment for segment in boot.segments if not segment.plausible]
    zeros = bool(boot.segments) and all(segment.checksum == _SEED for segment in boot.segments)
    failed = boot.has("csum-err", "flash-read-err") or (boot.has("ets-main") and boot.checksum is not None)
    if not boot.segments or not (failed or broken or _differs(boot)):
        return None
    if zeros or (broken and broken[0].address != _ALL_ONES and boot.segments[0].plausible):
        return _wrong_mode(zeros=zeros)
    if broken and broken[0].address == _ALL_ONES:
        return _erased_behind(broken[0])
    if broken:
        return _damaged("The image at 0 has a segment where the chip has no memory")
    if boot.has("flash-read-err") and boot.checksum is None:
        return _damaged("The ROM could not read the image to its end")
    return _damaged("The ROM read the image at 0 to its end, but its checksum is wrong")


def _differs(boot: Boot) -> bool:
    """Whether the checksums disagree and nothing was started: characters get lost, too."""
    printed = boot.segments[-1].checksum if boot.segments else None
    return (
        None not in (printed, boot.checksum)
        and printed != boot.checksum
        and boot.loader is None
        and not boot.firmware_lines
    )


def _wrong_mode(*, zeros: bool) -> _Outcome:
    seen = (
        "Every checksum is 0xef, the seed: all data reads as zero"
        if zeros
        else "The first segment header is good, and the next one is nonsense"
    )
    return _Outcome(
        Verdict.BAD_IMAGE,
        "The image does not load: the flash mode is probably wrong.",
        f"{seen}. The header is read in a mode that every flash chip knows, and the rest in the mode that "
        "the header asks for. Boards without all data lines, and every ESP8285, need dout or dio. Less "
        "likely: the file was damaged, or written only in part; the first command shows a damaged file.",
        (
            Cure("See the mode in the header, and whether the file is whole.", (_INSPECT,)),
            Cure(
                "Write it again in a mode that needs fewer lines; the ESP8285 needs this one.",
                ("esptool write-flash -fm dout 0 FILE",),
            ),
            Cure("The same, faster, for most boards of 4 MB.", ("esptool write-flash -fm dio 0 FILE",)),
        ),
    )


def _erased_behind(segment: BootSegment) -> _Outcome:
    return _Outcome(
        Verdict.BAD_IMAGE,
        "The image does not load: it ends too early.",
        f"Line {segment.line} has a segment header of 0xff bytes: the flash is erased where the image "
        "should go on. The file is cut, it was written only in part, or another write erased it. If the "
        "file is whole and verifies, the flash mode is wrong, or the flash chip is.",
        (
            Cure("See whether the file is whole.", (_INSPECT,)),
            Cure("Write it again, and compare.", (_WRITE, _VERIFY)),
            Cure("If it verifies, and this stays: another mode.", ("esptool write-flash -fm dout 0 FILE",)),
        ),
    )


def _damaged(what: str) -> _Outcome:
    return _Outcome(
        Verdict.BAD_IMAGE,
        "The image does not load: it is damaged, in the file or in the flash.",
        f"{what}. In this order: the file is damaged; it was not written well; the chip reads the flash "
        "badly, by mode, by speed or for lack of power. The first two commands tell them apart.",
        (
            Cure("See whether the file is whole; if not, get or build it again.", (_INSPECT,)),
            Cure("If it is, write it again, and compare.", (_WRITE, _VERIFY)),
            Cure(
                "If it verifies, and this stays: the safest mode and speed, and a better power supply.",
                ("esptool write-flash -fm dout -ff 40m 0 FILE",),
            ),
        ),
    )


def _no_image(boot: Boot) -> _Outcome | None:
    if boot.segments or not boot.has("ets-main", "flash-read-err"):
        return None
    return _Outcome(
        Verdict.NO_IMAGE,
        "There is no image at flash address 0.",
        "The ROM gave up before it loaded anything. The flash is erased, the file was written to another "
        "address, or its first byte is not 0xE9. If the right file is there, the ROM cannot read the "
        "flash: something else uses its pins (GPIO6 to GPIO11), or the power is too weak.",
        (
            Cure(
                "See what the flash holds at 0.",
                ("esptool read-flash 0 0x10000 head.bin", "imgtool inspect head.bin"),
            ),
            Cure("See whether the file is one for address 0.", (_INSPECT,)),
            Cure("Write it to 0, and compare.", (_WRITE, _VERIFY)),
        ),
    )


def _no_slot(boot: Boot) -> _Outcome | None:
    if not boot.has("error-magic", "backup-failed", "flash-addr", "first-failed"):
        return None
    loader = boot.loader or LoaderLines(boot.line)
    slot = f"user{loader.slot}" if loader.slot else "the application"
    at = f" at 0x{loader.address:x}" if loader.address is not None else ""
    target = f"0x{loader.address:x}" if loader.address is not None else "ADDRESS"
    bad = not boot.has("error-magic", "flash-addr")
    what = "fails its check" if bad else "does not begin with 0xE9 or 0xEA, as an image does"
    size = f" ({loader.flash_size})" if loader.flash_size else ""
    backup = " The other slot failed, too." if boot.has("backup-failed") else ""
    file = f"user{loader.slot}.bin" if loader.slot else "FILE"
    return _Outcome(
        Verdict.BAD_IMAGE if bad else Verdict.NO_IMAGE,
        f"The boot loader cannot start {slot}{at}.",
        f"The boot loader itself is good. What it finds{at} {what}.{backup} Either the file is not there, "
        f"or it was built for another map than the header's{size}, so that the slots lie elsewhere: "
        "imgtool inspect shows the slot and the size in its header.",
        (
            Cure(
                "See whether the file is whole, and for which slot and map it is.",
                (f"imgtool inspect {file}",),
            ),
            Cure("If it is for this slot: write it there.", (f"esptool write-flash {target} {file}",)),
            Cure(
                "If it is for another map: write the boot loader again with that size in its header.",
                ("esptool write-flash -fs SIZE 0 BOOT_LOADER 0x1000 user1.bin",),
            ),
        ),
    )


def _download(boot: Boot) -> _Outcome | None:
    if boot.mode is None or boot.mode.code != _DOWNLOAD or boot.segments or boot.checksum is not None:
        return None
    return _Outcome(
        Verdict.DOWNLOAD,
        "The chip waits for a flasher: it started in download mode.",
        "GPIO0 was low at reset. That is right for writing; to run the firmware, GPIO0 must be high at "
        "reset. If nobody holds it low: a button, a level shifter or the adapter's DTR and RTS lines do.",
        (
            Cure(
                "To write: any esptool command finds the chip now.", ("esptool --before no-reset flash-id",)
            ),
            Cure("To run the firmware: release GPIO0, and reset the chip."),
        ),
    )


def _straps(boot: Boot) -> _Outcome | None:
    waiting = boot.has("waiting")
    if boot.segments or boot.checksum is not None or (boot.mode is None and not waiting):
        return None
    if boot.mode is not None and boot.mode.code in (_DOWNLOAD, _FLASH) and not waiting:
        return None
    mode = boot.mode
    if mode is None or mode.gpio15 is None:
        pins = "GPIO15 was probably high at reset"
    elif mode.gpio15:
        pins = "GPIO15 was high at reset, which means SDIO: a host is to send the firmware"
    else:
        pins = "GPIO2 was low at reset"
    return _Outcome(
        Verdict.STRAPS,
        "The chip does not boot from flash: its strap pins say otherwise.",
        f"{pins}. To boot from flash, GPIO15 must be low and GPIO0 and GPIO2 high; to be written, GPIO15 "
        "and GPIO0 low and GPIO2 high. No command cures that: a resistor to ground or to 3.3 V does.",
        (
            Cure("Pull GPIO15 down, with 10 kOhm or less; take off what holds it high.")
            if mode is None or mode.gpio15 is not False
            else Cure("Leave GPIO2 open or pull it up at reset; take off what holds it low."),
        ),
    )


def _alarm(boot: Boot) -> _Outcome | None:
    if not boot.has("alarm", "user-code-done"):
        return None
    message = next(m for m in boot.messages if m.kind in ("alarm", "user-code-done"))
    return _Outcome(
        Verdict.NOTHING_KNOWN,
        "The image was loaded and started, and then failed.",
        f"Line {message.line} says '{message.text}'. It is the firmware's own message; this version of "
        "imgtool does not explain exceptions and stacks.",
    )


def _runs(boot: Boot) -> _Outcome | None:
    started = boot.checksum is not None or boot.loader is not None
    if not (started and boot.firmware_lines) and boot.rf_cal is None and not boot.has("sdk-version"):
        return None
    noise = (
        "Behind the loading there are unreadable characters: firmware prints at a speed of its own, mostly "
        "115200."
    )
    return _Outcome(
        Verdict.RUNS,
        "The image was loaded and started; nothing in this log is wrong.",
        "The checksum holds, and the firmware prints something of its own."
        if boot.checksum is not None
        else "The firmware prints something of its own.",
        notes=(noise,) if boot.noise else (),
    )


def _unfinished(boot: Boot) -> _Outcome:
    if boot.loader is not None:
        where = "where the boot loader starts the application"
    elif boot.checksum is not None:
        where = "where the ROM starts the image"
    elif boot.segments:
        where = "while the ROM loads the image"
    else:
        where = "before the ROM loads an image"
    return _Outcome(
        Verdict.UNFINISHED,
        f"The log ends too early to tell: it stops {where}.",
        "What is there is in order. The firmware may be silent, may print at another speed, mostly "
        "115200, or the log was cut.",
        (Cure("Record a whole boot: start the monitor first, and then reset the chip.", (_MONITOR,)),),
    )


_RULES: Final[tuple[Callable[[Boot], _Outcome | None], ...]] = (
    _init_data,
    _too_small,
    _partition_table,
    _bad_image,
    _no_image,
    _no_slot,
    _download,
    _straps,
    _alarm,
    _runs,
    _unfinished,
)


# Several boots, and none.


def _likeness(boot: Boot) -> tuple[object, ...]:
    """What is alike in boots that repeat: the mode and what the ROM loads."""
    mode = boot.mode.code if boot.mode else None
    return mode, tuple((segment.address, segment.length) for segment in boot.segments)


def _repeats(boots: Sequence[Boot]) -> int:
    """How many boots at the end are alike; the last one may be cut."""
    model = boots[-2] if len(boots) > 1 else boots[-1]
    mode, loads = _likeness(model)
    last_mode, last_loads = _likeness(boots[-1])
    same = (
        isinstance(loads, tuple) and isinstance(last_loads, tuple) and loads[: len(last_loads)] == last_loads
    )
    if not same or (last_mode is not None and last_mode != mode):
        return 1
    count = 1
    for boot in reversed(boots[:-1]):
        if _likeness(boot) != (mode, loads):
            break
        count += 1
    return count


def _loop(boots: Sequence[Boot], repeats: int) -> _Outcome | None:
    """The boots start again and again, though each of them is in order."""
    causes = [boot.cause.code if boot.cause else None for boot in boots[len(boots) - repeats :]]
    hangs = sum(1 for cause in causes if cause == _WATCHDOG)
    if repeats < _LEAST_STARTS and hangs < _LEAST_HANGS:
        return None
    if hangs >= _LEAST_HANGS:
        cause = (
            "The hardware watchdog ended each run: the firmware loads well and then hangs. By the log "
            "alone the reason is the firmware, or a part of it in the flash that no checksum covers, such "
            "as irom."
        )
    elif causes.count(_POWER_ON) >= _LEAST_STARTS:
        cause = (
            "Each boot is a power-on: the supply breaks down, mostly when the radio is switched on. A "
            "short cable, a stronger supply or a capacitor shows whether it is that. Else somebody "
            "switched it."
        )
    else:
        cause = (
            "Each boot loads well. In order: the firmware fails and restarts itself, which leaves the "
            "reset cause as it was, so look at what it prints at its own speed, mostly 115200; it wakes "
            "up from deep sleep, which is in order; the RST line is pulled, by a button or the adapter."
        )
    return _Outcome(
        Verdict.BOOT_LOOP,
        f"The chip starts again and again: {repeats} boots in this log are alike.",
        cause,
        (
            Cure(
                "Read what the firmware prints before it restarts.",
                ("python -m serial.tools.miniterm PORT 115200",),
            ),
            Cure(
                "See whether the files are whole and of one build.",
                ("imgtool inspect 0x00000.bin 0x10000.bin",),
            ),
        ),
    )


def _notes(boots: Sequence[Boot], chosen: int, verdict: Verdict) -> Iterator[str]:
    boot = boots[chosen]
    if len(boots) > 1 and verdict is not Verdict.BOOT_LOOP:
        yield f"The log has {len(boots)} boots; this is about the one from line {boot.line} on."
    if boot.cause and boot.cause.code == _WATCHDOG and verdict is not Verdict.BOOT_LOOP:
        yield "The hardware watchdog ended the run before this boot: it had hung, or waited too long."
    yield from _rf_cal_notes(boot)
    lines = [segment.line for each in boots for segment in each.segments if not segment.consistent]
    if lines:
        yield (
            f"The numbers of line {lines[0]} do not agree with each other: characters of the log were lost "
            "or changed."
        )
    if boot.has("first-failed") or any(each.has("first-failed") for each in boots[:chosen]):
        yield "The boot loader gave up one slot and went on with the other one."


def _rf_cal_notes(boot: Boot) -> Iterator[str]:
    if boot.rf_cal is None:
        return
    number, size = boot.rf_cal.sector, boot.rf_cal.flash_size
    header = boot.loader.flash_size if boot.loader else None
    if size is None:
        yield f"RF-cal sector {number} is a place of the vendor's own: it does not tell the flash size."
    elif header is not None and _bytes_of(header) != _bytes_of(size):
        yield f"RF-cal sector {number} is that of {size}, but the boot loader says {header}."


def _bytes_of(name: str) -> int:
    return next((size.bytes for size in FLASH_SIZES if size.name == name), 0)


# Share of printable ASCII: uniform noise has 0.38, noise in the threads that docs/how-to/boot-logs.md names
# 0.33 to 0.65, logs with a few bad characters more than 0.95.
_LEAST_READABLE: Final = 0.8
_LEAST_CHARACTERS: Final = 16


def _readable(text: str) -> float:
    """The share of readable characters."""
    return sum(1 for char in text if " " <= char <= "~" or char in "\t\r\n") / max(len(text), 1)


def _no_log(text: str, *, other_chip: bool) -> Explanation:
    if other_chip:
        return Explanation(
            Verdict.NOTHING_KNOWN,
            "This is the boot log of another chip, such as an ESP32.",
            "Its ROM prints lines that no ESP8266 has. imgtool is for the ESP8266 and ESP8285.",
        )
    shown = "".join(line.text for line in _lines(text))
    record = Cure("Record it at the speed of the ROM.", (_MONITOR,))
    if len(shown) >= _LEAST_CHARACTERS and _readable(shown) < _LEAST_READABLE:
        return Explanation(
            Verdict.WRONG_BAUD,
            "Too little of this can be read; if it is a boot log, it was recorded at the wrong speed.",
            "The ROM prints at 74880 baud, at 115200 where the crystal has 40 MHz. Noise also comes from "
            "a missing ground line. Or it is a file of another kind: imgtool inspect knows many.",
            (record, Cure("If it is no log, see what it is.", (_INSPECT,))),
        )
    return Explanation(
        Verdict.NOTHING_KNOWN,
        "There is no line of an ESP8266 boot in this.",
        "The ROM prints ' ets Jan  8 2013,rst cause:' at every reset, at 74880 baud. A log at another "
        "speed begins with noise or with nothing, and then has only what the firmware prints.",
        (record,),
    )
