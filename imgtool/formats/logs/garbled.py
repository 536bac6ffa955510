"""Logs that were read at a wrong speed: which two speeds made them, and how sure that is.

What a receiver makes of typical texts at another speed (:mod:`imgtool.formats.logs.serial_line`) has
statistics of its own: which bytes occur, and which follow which.  A model for each pair of speeds is made of
garbled texts when it is first needed, and the unreadable bytes are held against all of them.  Only the ratio
of two speeds matters, so some pairs cannot be told apart.

No judgement of what a log comes to, and no correction: most of a text is lost at a wrong speed.  The speeds:
the ROM divides its clock for 115200 baud at 40 MHz, which is 74880 at 26 MHz (docs/how-to/boot-logs.md).
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import log2
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.logs.serial_line import heard_at

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CRYSTAL_26", "CRYSTAL_40", "Speeds", "is_rom_noise", "speeds_of"]

CRYSTAL_26: Final = 74_880
"""Speed of the ROM where the crystal has 26 MHz, as nearly all boards have."""

CRYSTAL_40: Final = 115_200
"""Speed of the ROM where it has 40 MHz."""

_PAIRS: Final = (
    # The ROM: sent at, read at.
    *((CRYSTAL_26, heard, True) for heard in (115_200, 9_600, 57_600, 38_400, 19_200, 230_400)),
    *((CRYSTAL_40, heard, True) for heard in (74_880, 9_600)),
    # Firmware.
    *((115_200, heard, False) for heard in (74_880, 9_600, 57_600, 38_400, 19_200, 230_400)),
    *((9_600, heard, False) for heard in (115_200, 74_880)),
    *((57_600, heard, False) for heard in (74_880, 9_600)),
    *((38_400, heard, False) for heard in (115_200, 74_880)),
    *((230_400, heard, False) for heard in (74_880, 9_600)),
)
_MOST_BYTES: Final = 600  # what is looked at
_LEAST_BYTES: Final = 12
_BACKING: Final = 3.0  # how many bytes the shorter context counts for
_STRAY: Final = 0.1  # share of bytes that no model tells: edges are not as sharp as in the model
_START_BYTES: Final = 160  # of the noise in front of a firmware

# Bytes of noise are not independent of each other, which the models take them for: a text of one kind is like
# itself.  With this share of the evidence the odds held in 630 garbled texts that no model was made of: what
# was told with 90 % and more was right.  The models are not the world, so it is never said to be quite sure.
_EVIDENCE: Final = 0.3
_MOST_LIKELY: Final = 0.99
# What many receivers put where a stop bit is missing, and what a much slower text reads as: all bytes of
# that, at most 0.15 of any other.  So these say little, and a log of them is never sure.
_BROKEN: Final = (0x00, 0x80, 0xFF)
_MOST_BROKEN: Final = 0.5
_MOST_OF_BROKEN: Final = 0.6
# sent / heard of what can be sure.  Beyond that receivers differ in what they make of it, and the patterns of
# neighbouring ratios are alike.
_NEAR: Final = (0.45, 2.5)
_LEAST_GAIN: Final = 0.4  # bits a byte over even chances; 400 random texts have less than -0.9


class Speeds(NamedTuple):
    """Two speeds that explain unreadable bytes.

    Attributes:
        sent: Speed of the chip, in baud.
        heard: Speed that the log was recorded at.
        rom: Whether the text looks like that of the boot ROM, not of a firmware.
        likelihood: From 0 to 1, among all pairs that are known.
    """

    sent: int
    heard: int
    rom: bool
    likelihood: float


def speeds_of(log: str) -> tuple[Speeds, ...]:
    """The pairs of speeds that explain unreadable text, the likeliest first; none if no pair does.

    Args:
        log: The text, with bytes as Latin-1 or Windows-1252 characters; replacement characters stand for
            any byte.
    """
    noise = _bytes_of(log)[:_MOST_BYTES]
    known = sum(byte is not None for byte in noise)
    if known < _LEAST_BYTES:
        return ()
    broken = sum(byte in _BROKEN for byte in noise)
    most = _MOST_LIKELY if broken <= _MOST_BROKEN * known else _MOST_OF_BROKEN
    if known - broken >= max(_LEAST_BYTES, (1 - _MOST_BROKEN) * known):
        noise = [None if byte in _BROKEN else byte for byte in noise]
        known -= broken
    gains = {pair: _model(*pair).gain(noise) for pair in _PAIRS}
    best = max(gains.values())
    if best < _LEAST_GAIN * known:
        return ()
    odds = {pair: 2 ** (_EVIDENCE * (gain - best)) for pair, gain in gains.items()}
    total = sum(odds.values())
    found = [Speeds(*pair, likelihood=min(odd / total, most, _most_at(pair))) for pair, odd in odds.items()]
    return tuple(sorted(found, key=lambda speeds: -speeds.likelihood))


def _most_at(pair: tuple[int, int, bool]) -> float:
    """How sure a pair can be at all."""
    sent, heard, _ = pair
    return _MOST_LIKELY if _NEAR[0] <= sent / heard <= _NEAR[1] else _MOST_OF_BROKEN


def is_rom_noise(log: str) -> bool:
    """Whether unreadable text is the ROM at 74880 baud, read at 115200, as in front of most firmware."""
    noise = _bytes_of(log)[:_START_BYTES]
    known = sum(byte is not None for byte in noise)
    return known >= _LEAST_BYTES and _model(CRYSTAL_26, CRYSTAL_40, True).gain(noise) >= _LEAST_GAIN * known


def _bytes_of(log: str) -> list[int | None]:
    """The bytes behind the characters of a terminal; None where they are lost."""
    found: list[int | None] = []
    for char in log[: 4 * _MOST_BYTES]:
        if char in "\r\n":
            continue  # terminals add and change these
        if ord(char) <= 0xFF:  # noqa: PLR2004 - a byte
            found.append(ord(char))
        else:
            coded = char.encode("cp1252", "ignore")
            found.append(coded[0] if coded else None)
    return found


class _Model:
    """Which bytes follow which in garbled text."""

    def __init__(self, samples: Sequence[bytes]) -> None:
        self._single: dict[int, int] = {}
        self._double: dict[tuple[int, int], int] = {}
        self._triple: dict[tuple[int, int, int], int] = {}
        self._pairs: dict[tuple[int, int], int] = {}
        for sample in samples:
            data = bytes(byte for byte in sample if byte not in b"\r\n")
            for byte in data:
                self._single[byte] = self._single.get(byte, 0) + 1
            for pair in pairwise(data):
                self._double[pair] = self._double.get(pair, 0) + 1
            for triple in zip(data, data[1:], data[2:], strict=False):
                self._triple[triple] = self._triple.get(triple, 0) + 1
        self._total = sum(self._single.values())

    def gain(self, noise: Sequence[int | None]) -> float:
        """Bits by which this model tells the bytes better than even chances do."""
        gain = 0.0
        before: int | None = None
        second: int | None = None
        for byte in noise:
            if byte is not None:
                chance = (1 - _STRAY) * self._chance(second, before, byte) + _STRAY / 256
                gain += log2(256 * chance)
            second, before = before, byte
        return gain

    def _chance(self, second: int | None, before: int | None, byte: int) -> float:
        chance = (self._single.get(byte, 0) + _BACKING / 256) / (self._total + _BACKING)
        if before is None:
            return chance
        seen = self._single.get(before, 0)
        chance = (self._double.get((before, byte), 0) + _BACKING * chance) / (seen + _BACKING)
        if second is None:
            return chance
        seen = self._double.get((second, before), 0)
        return (self._triple.get((second, before, byte), 0) + _BACKING * chance) / (seen + _BACKING)


@cache
def _model(sent: int, heard: int, rom: bool) -> _Model:
    texts = _rom_texts() if rom else _FIRMWARE
    return _Model([heard_at(text.encode(), sent, heard) for text in texts])


def _rom_texts() -> tuple[str, ...]:
    """Boots as the ROM and the SDK print them; the numbers differ from image to image."""
    texts = []
    for number in range(6):
        sizes = [
            (27_000 + 977 * number, 4 * (number % 4)),
            (1_384 + 1_499 * number, 8),
            (8 + 400 * number, 12),
        ]
        loads = "".join(
            f"load 0x{address + 0x20 * number * at:08x}, len {size}, room "
            f"{16 if at == 0 else 4 * (number % 3)} \r\ntail {tail}\r\nchksum "
            f"0x{(37 * size + number) & 0xFF:02x}\r\n"
            + ("ho 0 tail 12 room 4\r\n" if number % 2 and at == 1 else "")
            for at, (address, (size, tail)) in enumerate(zip(_LOAD_ADDRESSES, sizes, strict=True))
        )
        texts.append(
            f"\r\n ets Jan  8 2013,rst cause:{(2, 1, 4)[number % 3]}, boot mode:(3,{6 + number % 2})\r\n\r\n"
            + ("wdt reset\r\n" if number % 3 == 2 else "")  # noqa: PLR2004 - the third of the causes
            + f"{loads}csum 0x{(91 * number + 0x2D) & 0xFF:02x}\r\n"
            + (_BEHIND[number % 3])
        )
    return tuple(texts)


_LOAD_ADDRESSES: Final = (0x4010_0000, 0x3FFE_8000, 0x3FFE_8B50)
_BEHIND: Final = (
    (
        "rf cal sector: 1019\r\nfreq trace enable 0\r\nrf[112] : 00\r\nrf[113] : 00\r\nrf[114] : "
        "01\r\n\r\nSDK ver: 2.2.1(6ab97e9) compiled @ Jun  7 2018 14:56:28\r\nphy ver: 1136_0, pp ver: "
        "10.2\r\n"
    ),
    "v8b899c12\r\n~ld\r\n",
    (
        "\r\n2nd boot version : 1.7(5d6f877)\r\nSPI Speed : 40MHz\r\nSPI Mode : QIO\r\nSPI Flash Size & "
        "Map: 32Mbit(512KB+512KB)\r\njump to run user1 @ 1000\r\n\r\n"
    ),
)
_FIRMWARE: Final = (
    (
        "\r\nNodeMCU 3.0.0.0 built on nodemcu-build.com provided by frightanic.com\r\n\tbranch: "
        "release\r\n\tcommit: d4ae3c364bd8ae3ded8b77d35745b7f07879f5f9\r\n\tSSL: false\r\n\tbuild type: "
        "float\r\n\tLFS: 0x40000 bytes total capacity\r\n\tmodules: "
        "adc,bit,file,gpio,http,i2c,mqtt,net,node,ow,rtctime,sjson,sntp,spi,tmr,uart,wifi\r\n build "
        "2021-05-10 20:24 powered by Lua 5.1.4 on SDK 3.0.1-dev(fce080e)\r\ncannot open init.lua: \r\n> "
    ),
    (
        "\r\nConnecting to home network....\r\n.......\r\nWiFi connected\r\nIP address: "
        "192.168.1.17\r\nServer started, free heap 38512\r\ntemperature: 21.56 C, humidity: 48.2 %, "
        "pressure 1013.25 hPa\r\n[MQTT] attempting connection... connected, rc=0\r\nMAC: "
        "5C:CF:7F:1A:2B:3C\r\nready\r\nstate = on, value = 1023, time 12:34:56\r\n"
    ),
    (
        "mode : sta(5c:cf:7f:1a:2b:3c)\r\nadd if0\r\nscandone\r\nstate: 0 -> 2 (b0)\r\nstate: 2 -> 3 "
        "(0)\r\nstate: 3 -> 5 (10)\r\nadd 0\r\naid 2\r\ncnt \r\n\r\nconnected with home, channel "
        "6\r\ndhcp client start...\r\nip:192.168.1.17,mask:255.255.255.0,gw:192.168.1.1\r\npm open,type:2 "
        "0\r\n"
    ),
    (
        "\r\nException (28):\r\nepc1=0x402103f4 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000000 "
        "depc=0x00000000\r\n\r\nctx: cont\r\nsp: 3ffefd10 end: 3fff0100 offset: "
        "01a0\r\n\r\n>>>stack>>>\r\n3ffefeb0:  3fff13b8 00000001 00000001 ffffff80  \r\n3ffefec0:  "
        "40216d6e 402247c8 00000018 3fff0db0  \r\n3ffefed0:  3fff1350 40216f58 3fffdad0 feefeffe  \r\n"
    ),
    (
        "Hello world! This is a test of the serial port, and the quick brown fox jumps over the lazy "
        "dog.\r\nSetup done. Please wait while the sensor is starting up.\r\nloop 1\r\nloop 2\r\nloop "
        "3\r\nERROR: could not read from sensor, trying again in 5 seconds\r\nINFO  00:00:01.234 WIF: "
        "Connecting to AP1\r\n[I][app:029]: Running through setup()\r\n"
    ),
)
