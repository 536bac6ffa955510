"""SDK init data: 128 bytes of RF parameters (esp_init_data_default.bin), every byte named.

It has no magic but its first byte, and no checksum.  Not RF calibration, which the SDK writes into a sector
of its own.

Names and meanings: the table of the Arduino core, from Espressif's RF-init spreadsheet,
https://github.com/esp8266/Arduino/blob/master/cores/esp8266/core_esp8266_phy.cpp; values: the files in
https://github.com/espressif/ESP8266_NONOS_SDK/tree/master/bin.  See docs/formats/init-data.md.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from construct import Bytes, Int8sb, Int8ub, Struct

from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.reading import Fact, FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.wire import parse_at

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FIELDS",
    "SETS",
    "SIZE",
    "Deviation",
    "Field",
    "InitData",
    "deviations",
    "findings_of",
    "is_init_data",
    "nearest_set",
    "part_at",
    "read",
]

SIZE: Final = 128
_SECTOR: Final = 0x1000
_SHOWN: Final = 3  # changed fields that fit into a line


@dataclass(frozen=True, slots=True)
class Field:
    """One field of init data.

    Attributes:
        name: Documented name; ``reserved_N`` and ``unused_N`` for bytes without one.
        offset: Byte offset.
        default: Its bytes in the v05 set.
        meaning: What it does.
        signed: Whether the byte is signed.
        unit: Unit of the value, if it has one.
        scale: What one step of the byte is worth in that unit.
        legal: The byte values that have a meaning; empty where all do.
        names: Words that stand for byte values.
    """

    name: str
    offset: int
    default: bytes
    meaning: str = ""
    signed: bool = False
    unit: str = ""
    scale: Decimal = Decimal(1)
    legal: tuple[int, ...] = ()
    names: Mapping[str, int] | None = None

    @property
    def settable(self) -> bool:
        """Whether it is a documented single byte; the rest is not to be changed."""
        return len(self.default) == 1 and not self.name.startswith(("reserved", "unused", "version"))

    def raw_of(self, text: str) -> int:
        """The byte value (as stored: signed fields may be negative) that a text stands for.

        ``0x..`` is the byte itself; a word from :attr:`names` or a number, with or without the unit, is a
        value.

        Raises:
            FormatError: Neither, or not a value that the field can have.
        """
        word = text.strip().lower()
        if self.names is not None and word in self.names:
            return self.names[word]
        try:
            if word.startswith("0x"):
                raw = int(word, 16)
                raw = raw - 256 if self.signed and raw > 127 else raw  # noqa: PLR2004 - two's complement
            else:
                steps = Decimal(word.removesuffix(self.unit.lower()).strip()) / self.scale
                raw = int(steps)
                if raw != steps:
                    raise self._refusal(text)
        except (ValueError, ArithmeticError):
            raise self._refusal(text) from None
        low, high = (-128, 127) if self.signed else (0, 255)
        if not low <= raw <= high or (self.legal and raw not in self.legal):
            raise self._refusal(text)
        return raw

    def _refusal(self, text: str) -> FormatError:
        return FormatError(f"init data field {self.name}", expected=self.range_text, found=text)

    @property
    def range_text(self) -> str:
        """The values it can have, in words."""
        if self.names is not None:
            return "one of " + ", ".join(self.names)
        low, high = (-128, 127) if self.signed else (0, 255)
        if self.legal and len(self.legal) != self.legal[-1] - self.legal[0] + 1:
            return "one of " + _ranges(self.legal)
        low, high = (self.legal[0], self.legal[-1]) if self.legal else (low, high)
        unit = f" {self.unit} in steps of {self.scale}" if self.unit else ""
        return f"{low * self.scale} to {high * self.scale}{unit}"

    def show(self, raw: int) -> str:
        """A stored value for people, in its unit."""
        word = next((name for name, value in (self.names or {}).items() if value == raw), None)
        if word is not None:
            return word
        return f"{raw * self.scale} {self.unit}" if self.unit else str(raw)


def _ranges(values: tuple[int, ...]) -> str:
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


_POWER_STEP: Final = Decimal("0.25")
_MOST_POWER: Final = 0x52  # 20.5 dBm, the highest in any published set


def _power(index: int, default: int) -> Field:
    return Field(
        f"target_power_qdb_{index}",
        34 + index,
        bytes([default]),
        f"TX power {index}, used by the MCS rates that point to it",
        unit="dBm",
        scale=_POWER_STEP,
        legal=tuple(range(_MOST_POWER + 1)),
    )


def _byte(name: str, offset: int, default: int, meaning: str, *legal: int) -> Field:
    return Field(name, offset, bytes([default]), meaning, legal=legal)


def _fixed(name: str, offset: int, default: str) -> Field:
    return Field(f"{name}_{offset}", offset, bytes.fromhex(default))


FIELDS: Final = (
    Field("version", 0, b"\x05", "always 5: the SDK halts with 'rf_cal[0] !=0x05' on anything else"),
    Field("revision", 1, b"\x00", "8 marks the v08 set", legal=(0, 8)),
    _fixed("reserved", 2, "040205050502050004050504050504"),
    _fixed("reserved", 17, "fefdfff0f0f0e0e0e0"),
    _byte("spur_freq_cfg", 26, 0xE1, "spur frequency = spur_freq_cfg / spur_freq_cfg_div"),
    _byte("spur_freq_cfg_div", 27, 0x0A, "see spur_freq_cfg"),
    _byte(
        "spur_freq_en_h", 28, 0xFF, "one bit per upper channel: use spur_freq where it is in band, else 40"
    ),
    _byte("spur_freq_en_l", 29, 0xFF, "one bit per lower channel, as spur_freq_en_h"),
    _fixed("reserved", 30, "f800f8f8"),
    _power(0, 0x52),
    _power(1, 0x4E),
    _power(2, 0x4A),
    _power(3, 0x44),
    _power(4, 0x40),
    _power(5, 0x38),
    *(
        _byte(
            f"target_power_index_mcs{mcs}",
            40 + mcs,
            default,
            f"which target_power_qdb MCS{mcs} uses",
            *range(6),
        )
        for mcs, default in enumerate((0, 0, 1, 1, 2, 3, 4, 5))
    ),
    Field(
        "crystal_26m_en",
        48,
        b"\x01",
        "the board's crystal",
        legal=(0, 1, 2),
        names={"40mhz": 0, "26mhz": 1, "24mhz": 2},
    ),
    _fixed("unused", 49, "00"),
    _byte(
        "sdio_configure",
        50,
        0,
        "SDIO: 0 by strap pins, 1 negative edge (1.1), 2 positive edge (2.0)",
        0,
        1,
        2,
    ),
    _byte(
        "bt_configure", 51, 0, "Bluetooth coexistence: 0 none, 1 and 3 by pins, 2 has Bluetooth", 0, 1, 2, 3
    ),
    _byte(
        "bt_protocol",
        52,
        0,
        "Bluetooth: 0 Wi-Fi off, 1 BT off, 2, 3 wires apart, 4, 5 wires shared",
        *range(6),
    ),
    _byte(
        "dual_ant_configure", 53, 0, "antennas: 0 one, 1 diversity, 2 and 3 external PA and LNA", 0, 1, 2, 3
    ),
    _fixed("reserved", 54, "02"),
    _byte("share_xtal", 55, 0, "crystal in sleep: 0 off, 1 on, 2 by XPD_DCDC, 3 by GPIO2", 0, 1, 2, 3),
    _fixed("unused", 56, "0000000000000000"),
    _byte("spur_freq_cfg_2", 64, 0xE1, "as spur_freq_cfg, second spur"),
    _byte("spur_freq_cfg_div_2", 65, 0x0A, "as spur_freq_cfg_div, second spur"),
    _byte("spur_freq_en_h_2", 66, 0, "as spur_freq_en_h, second spur"),
    _byte("spur_freq_en_l_2", 67, 0, "as spur_freq_en_l, second spur"),
    _byte("spur_freq_cfg_msb", 68, 0, "upper bits of spur_freq_cfg"),
    _byte("spur_freq_cfg_2_msb", 69, 0, "upper bits of spur_freq_cfg_2"),
    _byte("spur_freq_cfg_3_low", 70, 0, "third spur, lower byte"),
    _byte("spur_freq_cfg_3_high", 71, 0, "third spur, upper byte"),
    _byte("spur_freq_cfg_4_low", 72, 0, "fourth spur, lower byte"),
    _byte("spur_freq_cfg_4_high", 73, 0, "fourth spur, upper byte"),
    _fixed("reserved", 74, "01934300"),
    _fixed("unused", 78, "00" * 15),
    _byte("low_power_en", 93, 0, "1 turns low-power TX on", 0, 1),
    _byte("lp_rf_stg10", 94, 0, "RF stage attenuation of low-power TX"),
    Field(
        "lp_bb_att_ext",
        95,
        b"\x00",
        "baseband attenuation of low-power TX",
        unit="dB",
        scale=_POWER_STEP,
        legal=tuple(range(25)),
    ),
    _byte("pwr_ind_11b_en", 96, 0, "1 gives 802.11b a TX power of its own", 0, 1),
    _byte("pwr_ind_11b_0", 97, 0, "power index for 1 and 2 Mbit/s", *range(6)),
    _byte("pwr_ind_11b_1", 98, 0, "power index for 5.5 and 11 Mbit/s", *range(6)),
    _fixed("unused", 99, "0000000000000000"),
    _byte(
        "vdd33_const",
        107,
        0,
        "supply in 0.1 V (18 to 36) where the ADC measures outside; 255: the ADC reads VDD33; 0: 3.3 V",
        0,
        *range(18, 37),
        255,
    ),
    _byte("cal_skip_count", 108, 0, "boots without RF calibration"),
    _fixed("unused", 109, "000000"),
    _byte(
        "freq_correct_en",
        112,
        0,
        "bit 0 corrects the frequency offset, bit 1 BBPLL at 160 (not 168) MHz, bit 2 uses force_freq_offset",
        0,
        1,
        3,
        5,
        7,
    ),
    Field("force_freq_offset", 113, b"\x00", "frequency offset", signed=True, unit="kHz", scale=Decimal(8)),
    _byte(
        "rf_cal_use_flash",
        114,
        1,
        "RF calibration at power-up: 0 and 2 from flash (2 ms), 1 TX power only (20 ms), 3 all (200 ms)",
        0,
        1,
        2,
        3,
    ),
    _fixed("unused", 115, "00" * 13),
)

_BY_NAME: Final = {field.name: field for field in FIELDS}

_LAYOUT = Struct(
    *(
        field.name
        / (Bytes(len(field.default)) if len(field.default) > 1 else Int8sb if field.signed else Int8ub)
        for field in FIELDS
    )
)

# How the published sets differ from v05, byte by byte.  "libphy" is what the SDK falls back to.
_REVISION: Final = 1
_DIFFERENCES: Final[Mapping[str, Mapping[int, int]]] = {
    "v05": {},
    "v08": {1: 0x08, 34: 0x4E, 35: 0x4A, 36: 0x46, 37: 0x40, 38: 0x3C},
    "SDK 0.9": {114: 0x00},
    "SDK 1.2": {112: 0x03, 114: 0x00},
    "libphy": {112: 0x03},
}


def _set(differences: Mapping[int, int]) -> bytes:
    block = bytearray(b"".join(field.default for field in FIELDS))
    for offset, value in differences.items():
        block[offset] = value
    return bytes(block)


SETS: Final = {name: _set(differences) for name, differences in _DIFFERENCES.items()}
"""The published sets by name, 128 bytes each; v05 and v08 have the MD5s of Espressif's files."""


@dataclass(frozen=True, slots=True)
class InitData:
    """Init data as values by field name: numbers for single bytes, bytes for reserved stretches."""

    values: Mapping[str, int | bytes]

    @classmethod
    def parse(cls, data: bytes, offset: int = 0) -> InitData:
        """Read the 128 bytes at ``offset``.

        Raises:
            FormatError: Fewer than 128 bytes.
        """
        fields = parse_at(_LAYOUT, data, offset, "init data")
        return cls({field.name: fields[field.name] for field in FIELDS})

    @classmethod
    def of_set(cls, name: str) -> InitData:
        """One of the published sets, such as ``v05``.

        Raises:
            KeyError: No set has that name.
        """
        return cls.parse(SETS[name])

    def build(self) -> bytes:
        """The 128 bytes."""
        return bytes(_LAYOUT.build(dict(self.values)))

    def replace(self, changes: Mapping[str, str]) -> InitData:
        """A copy with fields set by name from texts such as ``20.5dBm`` or ``0x52``.

        Raises:
            FormatError: No such field, or not a value that it can have.
        """
        values = dict(self.values)
        for name, text in changes.items():
            field = _BY_NAME.get(name)
            if field is None or not field.settable:
                names = [each.name for each in FIELDS if each.settable]
                near = difflib.get_close_matches(name, names, n=3)
                raise FormatError(
                    f"init data has no field {name} that can be set",
                    expected=" or ".join(near) or "a name from docs/formats/init-data.md",
                    found=name,
                )
            values[name] = field.raw_of(text)
        return InitData(values)

    @property
    def set_name(self) -> str | None:
        """Which published set it equals, None for none."""
        block = self.build()
        return next((name for name, value in SETS.items() if value == block), None)


@dataclass(frozen=True, slots=True)
class Deviation:
    """A field that is not as in a published set.

    Attributes:
        field: Its name.
        offset: Where it begins in the 128 bytes.
        expected: Its value in the set, in its unit; a run of bytes as hex.
        found: Its value here, likewise.
    """

    field: str
    offset: int
    expected: str
    found: str


def nearest_set(block: bytes) -> str:
    """The published set from which the fewest bytes differ, each of which is a field.

    Among equals it is one with the same revision, as those who edit power levels leave that alone, and then
    the first of :data:`SETS`.
    """

    def distance(name: str) -> tuple[int, bool]:
        published = SETS[name]
        differing = sum(a != b for a, b in zip(published, block, strict=False))
        return differing, published[_REVISION] != block[_REVISION]

    return min(SETS, key=distance)


def deviations(block: bytes, name: str) -> tuple[Deviation, ...]:
    """The fields of 128 bytes of init data that differ from a published set, in their order.

    Args:
        block: The 128 bytes.
        name: The set's name, one of :data:`SETS`.

    Raises:
        FormatError: Fewer than 128 bytes.
    """
    here, there = InitData.parse(block).values, InitData.of_set(name).values
    return tuple(
        Deviation(field.name, field.offset, _shown(field, there[field.name]), _shown(field, here[field.name]))
        for field in FIELDS
        if here[field.name] != there[field.name]
    )


def _shown(field: Field, value: int | bytes) -> str:
    return field.show(value) if isinstance(value, int) else value.hex(" ")


def is_init_data(data: bytes, offset: int = 0) -> bool:
    """Whether the 128 bytes at ``offset`` are init data, valid or slightly damaged.

    Decided by the reserved bytes, which no published set and no tool changes; a damaged block still has most
    of them.
    """
    block = data[offset : offset + SIZE]
    if len(block) < SIZE:
        return False
    reserved = [field for field in FIELDS if field.name.startswith("reserved")]
    size = sum(len(field.default) for field in reserved)
    same = sum(
        byte == default
        for field in reserved
        for byte, default in zip(block[field.offset :], field.default, strict=False)
    )
    return same >= size - size // 6


def findings_of(data: bytes, offset: int = 0) -> tuple[Finding, ...]:
    """What is to be said about the init data at ``offset``."""
    values = InitData.parse(data, offset).values
    findings: list[Finding] = []
    if values["version"] != FIELDS[0].default[0]:
        message = f"init data begins with 0x{data[offset]:02x}, not 0x05: the SDK would halt on it"
        findings.append(Finding(Severity.ERROR, "init-data-version", message, offset))
    for field in FIELDS[1:]:
        value = values[field.name]
        place = offset + field.offset
        if isinstance(value, int) and field.legal and value not in field.legal:
            message = f"init data field {field.name} is {value}, which has no meaning ({field.range_text})"
            findings.append(Finding(Severity.WARNING, "init-data-value", message, place))
        changed = isinstance(value, bytes) and value != field.default
        if changed or (
            len(field.default) == 1 and field.name.startswith("reserved") and value != field.default[0]
        ):
            message = f"init data bytes {field.offset} on ({field.name}) differ from every published set"
            findings.append(Finding(Severity.WARNING, "init-data-reserved", message, place))
    return tuple(findings)


def part_at(data: bytes, offset: int, size: int) -> Part:
    """The init data at ``offset`` as a part of ``size`` bytes: 128, or a sector."""
    init = InitData.parse(data, offset)
    fields: dict[str, Fact] = {
        name: value if isinstance(value, int) else value.hex() for name, value in init.values.items()
    }
    name = init.set_name
    note = f"set {name}"
    if name is None:
        block = data[offset : offset + SIZE]
        near = nearest_set(block)
        changed = [f"{each.field} {each.found}" for each in deviations(block, near)]
        more = " ..." if len(changed) > _SHOWN else ""
        note = f"{near} but for " + ", ".join(changed[:_SHOWN]) + more
    return Part(PartKind.INIT_DATA, offset, size, note=note, facts={"set": name, "fields": fields})


def read(data: bytes) -> Reading | None:
    """Read a file that is init data, alone or followed by erased flash up to a sector."""
    if len(data) > _SECTOR or not is_init_data(data) or not fill.is_fill(data, SIZE, len(data)):
        return None
    part = part_at(data, 0, len(data))
    return Reading(FileKind.INIT_DATA, (part,), findings=findings_of(data))
