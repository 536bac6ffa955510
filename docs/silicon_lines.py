"""The tables of docs/virtual/timing.md that set the model beside real boards, made from the constants.

The lines of real boards are quotations: sizes and seconds as a tool printed them in a public thread.  Nobody
has repeated them for this project.  ``modelled`` is computed here from the constants of
imgtool/virtual/chip, so that it moves with them; ``ran`` was taken by ``silicon_runs.py`` from unmodified
esptool on the virtual chip.  ``python docs/silicon_lines.py`` writes the tables, ``--check`` says whether
they are as they should be.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the constants of this checkout, also where another imgtool is installed

from made_part import run

from imgtool.chip import SECTOR
from imgtool.virtual.chip.ledger import COLUMNS
from imgtool.virtual.chip.nor import BLOCK64, PAGE, TYPICAL

TIMING: Final = ROOT / "docs" / "virtual" / "timing.md"
LATENCY: Final = COLUMNS[0].latency_ms / 1e3
BITS: Final = 10  # start, eight of data, stop
ESCAPED: Final = 2 / 256  # the share of bytes that SLIP doubles, in data without a pattern
STUB_PACKET, ROM_PACKET = 0x4000, 0x400
FRAME: Final = 26  # delimiters, header of a packet, header of its data
BEGIN: Final = 26
REPLY: Final = 12  # delimiters, header, two status bytes
ASK, ASKED = 14, 14  # the last request, which is answered when everything is written, and its reply
GITHUB: Final = "https://github.com/"
SLOW: Final = 115200
"""At this speed the line is nearly all of a write."""


class Line(NamedTuple):
    """What a tool printed of a write to a real board.

    Attributes:
        version: Of esptool.
        baud: Of the line; the tool's default where its log shows no change.
        size: Bytes of the image.
        deflated: Bytes on the line before framing; None for a stub that takes no deflated data.
        seconds: As printed.
        ran: Modelled seconds of the same phase on the virtual chip, by ``silicon_runs.py``.
        thread: Address of the public thread.
        note: What else it says.
    """

    version: str
    baud: int
    size: int
    deflated: int | None
    seconds: float
    ran: float | None
    thread: str
    note: str = ""

    @property
    def modelled(self) -> float:
        """Seconds by the constants."""
        return stub_write(self.baud, self.size, self.deflated)


MICROPYTHON: Final = "https://forum.micropython.org/viewtopic.php?t="
ESP8266_COM: Final = "https://www.esp8266.com/viewtopic.php?t=12271"
WLED: Final = "https://wled.discourse.group/t/7482"
ESPTOOL: Final = GITHUB + "espressif/esptool/issues/"
ARDUINO: Final = GITHUB + "esp8266/Arduino/issues/"
PLATFORMIO: Final = GITHUB + "platformio/platform-espressif8266/issues/"
SMARTTHINGS: Final = GITHUB + "SmartThingsCommunity/st-device-sdk-c-ref/issues/45"
ADAFRUIT: Final = GITHUB + "adafruit/Adafruit_WebSerial_ESPTool/issues/12"
ESPRUINO: Final = "https://forum.espruino.com/"
LINES: Final = (
    Line("2.0.1", 921600, 472_084, 305_673, 4.5, 4.18, ESPTOOL + "255", "D1 mini"),
    Line("2.6", 460800, 278_944, 201_352, 5.0, 4.54, "https://forum.arduino.cc/t/618840"),
    Line(
        "3.1", 460800, 633_688, 416_262, 9.4, 9.35, "https://newscrewdriver.com/2022/02/10/", "D1 mini clone"
    ),
    Line("4.7.0", 460800, 513_408, 359_547, 8.4, 8.19, "https://community.home-assistant.io/t/820182"),
    Line("2.5.0", 3000000, 295_024, 212_380, 1.8, 1.94, ARDUINO + "4973"),
    Line("2.8", 3000000, 304_240, 222_882, 2.0, 2.10, ARDUINO + "7426"),
    Line("2.8", 115200, 1_048_576, 319_796, 34.6, 28.22, ESPTOOL + "533"),
    Line("2.8", 115200, 272_800, 200_778, 17.7, 17.70, MICROPYTHON + "8915", "ESP8285"),
    Line("4.5", 115200, 802_528, 573_124, 53.2, 50.54, WLED, "ESP8285"),
    Line("4.5", 115200, 802_528, 573_124, 71.3, 50.54, WLED, "the same, another adapter"),
    Line("4.5.1", 115200, 597_664, 398_357, 48.1, 35.06, ESPTOOL + "890"),
    Line("3.0", 115200, 601_072, 429_021, 37.7, 37.76, "https://community.home-assistant.io/t/165466"),
    Line("2.8", 115200, 350_592, 251_120, 27.9, 22.15, ARDUINO + "6612"),
    Line("2.8", 115200, 350_592, 251_120, 28.6, 22.15, ARDUINO + "6612", "a second line"),
    Line("2.6", 115200, 405_728, 294_493, 28.6, 26.03, PLATFORMIO + "153"),
    Line("2.3.1", 115200, 600_888, 392_073, 34.9, 34.61, MICROPYTHON + "4519"),
    Line("3.2", 115200, 267_600, 195_141, 17.8, 17.28, ARDUINO + "8629"),
    Line(
        "2.4.0",
        115200,
        634_832,
        413_663,
        43.8,
        36.42,
        SMARTTHINGS,
    ),
    Line(
        "2.0.1",
        115200,
        228_304,
        165_547,
        41.2,
        14.65,
        ARDUINO + "3512",
        "far from all others",
    ),
    Line("2.6", 115200, 261_824, 191_229, 16.9, 16.92, PLATFORMIO + "179"),
    Line("2.2-dev", 115200, 524_288, 326_299, 29.2, 28.80, ESPRUINO + "comments/13917405"),
    Line("2.3.2-dev", 115200, 484_400, 332_821, 29.6, 29.35, ESPTOOL + "291"),
    Line("1.2-dev", 115200, 421_888, None, 36.5, None, ESP8266_COM, "Cesanta's stub"),
    Line("1.2-dev", 115200, 413_696, None, 35.7, None, ESP8266_COM, "the same"),
    Line("1.x", 115200, 450_560, None, 39.2, None, GITHUB + "marcelstoer/nodemcu-pyflasher/issues/14"),
    Line("1.3-dev", 115200, 462_848, None, 40.1, None, ESPRUINO, "by its author 115315"),
    Line(
        "1.x style",
        115200,
        634_880,
        None,
        55.2,
        None,
        ADAFRUIT,
    ),
)

ERASES: Final = (
    (11.7, 4, "https://stackoverflow.com/questions/70998539"),
    (8.8, 4, ESP8266_COM),
    (7.1, None, GITHUB + "arendst/Tasmota/issues/3838"),
    (22.4, None, ESPTOOL + "128"),  # an ESP-WROOM-02
    (27.6, None, ESPTOOL + "265"),  # a D1 mini pro
    (2.5, 1, GITHUB + "loboris/ESP8266_AT_LoBo/issues/11"),
    (1.6, None, GITHUB + "marcelstoer/nodemcu-pyflasher/issues/14"),
)
"""Seconds of an erase of the whole chip, its MB where the thread says them, and the thread."""


def line_seconds(data: int, frame: int, baud: int) -> float:
    """How long so many bytes without a pattern and a frame around them are on the line."""
    return (data * (1 + ESCAPED) + frame) * BITS / baud


def flash_seconds(sectors: int, blocks: int, pages: int = 0) -> float:
    """Erases and programs, one after the other."""
    return (sectors * TYPICAL.sector + blocks * TYPICAL.block64 + pages * TYPICAL.page) / 1e9


def stub_write(baud: int, size: int, deflated: int | None) -> float:
    """Seconds from the request that begins a write to the answer to the request behind its last packet.

    The host sends packet by packet and waits for each answer (lock-step).  The stub answers a packet when the
    one before is written, writes it while the next one comes, and erases ahead while it waits, in blocks of
    64 KB where so much is left.  Its instructions cost nothing here.
    """
    sent_size = size if deflated is None else deflated
    host = LATENCY + (BEGIN + REPLY) * BITS / baud
    written = flash_free = 0.0
    sent = erased = pages = 0

    def erase(begin: float) -> float:
        nonlocal erased
        block = -(-size // SECTOR) * SECTOR - erased >= BLOCK64
        erased += BLOCK64 if block else SECTOR
        return begin + flash_seconds(not block, block)

    while sent < sent_size:
        packet = min(STUB_PACKET, sent_size - sent)
        sent += packet
        host += LATENCY + line_seconds(packet, FRAME, baud)
        while erased < size and max(flash_free, written) < host:
            flash_free = erase(max(flash_free, written))
        begun = max(written, host)
        host = begun + REPLY * BITS / baud
        reached = size * sent // sent_size
        while erased < reached:
            flash_free = erase(max(flash_free, begun))
        more = -(-reached // PAGE) - pages
        pages += more
        written = flash_free = max(begun, flash_free) + flash_seconds(0, 0, more)
    return max(host + LATENCY + ASK * BITS / baud, written) + ASKED * BITS / baud


def rom_write(baud: int, size: int) -> float:
    """Seconds of the packets of a write by the ROM loader, which does one thing at a time."""
    packets = -(-size // ROM_PACKET)
    on_line = line_seconds(packets * ROM_PACKET, packets * (FRAME + REPLY), baud)
    return on_line + packets * (LATENCY + flash_seconds(0, 0, ROM_PACKET // PAGE))


def where(thread: str, note: str = "") -> str:
    """A link, and what is said beside it."""
    name = thread.partition("://")[2].removeprefix("www.").removeprefix("github.com/").rstrip("/")
    link = f"[{name.replace('/issues/', ' ')}]({thread})"
    return f"{link}, {note}" if note else link


def lines() -> str:
    """All of them beside the model, and how many are near it."""
    rows = "".join(
        f"| {line.version} | {line.baud} | {line.size:,} | {shown(line.deflated, ',')} | {line.seconds:.1f}"
        f" | {line.modelled:.1f} | {line.modelled / line.seconds:.2f} | {shown(line.ran, '.1f')}"
        f" | {where(line.thread, line.note)} |\n"
        for line in LINES
    )
    near = ", ".join(f"{near_to(LINES, share)} within {share} %" for share in (10, 25, 50))
    quick = [line for line in LINES if line.baud > SLOW]
    near_quick = " and ".join(f"{near_to(quick, share)} within {share} %" for share in (10, 25))
    below = sum(line.modelled <= line.seconds * 1.005 for line in LINES)
    ran = [line.ran / line.seconds for line in quick if line.ran is not None]
    return (
        "| esptool | baud | bytes | deflated | real s | modelled s | modelled by real | on the virtual chip s"
        " | seen in |\n"
        f"|---|---|---|---|---|---|---|---|---|\n{rows}\n"
        f"Of {len(LINES)} lines {near}. In {below} the model is not above the real time."
        f" Of the {len(quick)} at more than {SLOW} baud {near_quick}. Those {len(ran)} by esptool on the"
        f" virtual chip, by real: {min(ran):.2f} to {max(ran):.2f}.\n"
    )


def near_to(some: tuple[Line, ...] | list[Line], percent: int) -> int:
    """How many of the lines the model is so near to."""
    return sum(abs(line.modelled / line.seconds - 1) <= percent / 100 for line in some)


def shown(value: float | None, form: str) -> str:
    """A figure, or a dash."""
    return "-" if value is None else format(value, form)


def others() -> str:
    """What else was printed: the ROM's way, its erases, reading."""
    read = 0x40_0000 * BITS / 115200
    thread = {number: where(f"{GITHUB}espressif/esptool/issues/{number}") for number in (265, 380)}
    rows = (
        ("`--no-stub`, 236,544 bytes at 115200 baud", 24.9, rom_write(115200, 236_544), thread[380]),
        ("the erase before, by the ROM: 26 sectors and 2 blocks", 1.93, flash_seconds(26, 2), thread[380]),
        (
            "an erase of 512 KB at 0, by the ROM: 32 sectors and 6 blocks",
            1.05,
            flash_seconds(32, 6),
            where(ESPRUINO + "comments/15348729"),
        ),
        ("4 MB read at 115200 baud, esptool 2.6", 402.0, read, where("https://community.blynk.cc/t/34309")),
        ("4 MB read at 115200 baud, esptool 2.2, blank", 374.9, read, thread[265]),
    )
    body = "".join(
        f"| {what} | {real:g} | {model:.2f} | {model / real:.2f} | {seen} |\n"
        for what, real, model, seen in rows
    )
    return f"| What | real s | modelled s | modelled by real | seen in |\n|---|---|---|---|---|\n{body}"


def chip_erases() -> str:
    """The erases of a whole chip, slowest first, and what the model says."""
    rows = "".join(
        f"| {seconds:g} | {'not said' if size is None else f'{size} MB'} | {where(thread)} |\n"
        for seconds, size, thread in sorted(ERASES, reverse=True)
    )
    return (
        "| real s | flash | seen in |\n|---|---|---|\n"
        f"| more than 120 | not said | {where(GITHUB + 'espressif/esptool/issues/300')} |\n{rows}\n"
        f"The model has {TYPICAL.chip / 1e9:g} s for 4 MB and {TYPICAL.chip / 4e9:g} s for 1 MB.\n"
    )


if __name__ == "__main__":
    parts = {"lines": lines(), "others": others(), "erases": chip_erases()}
    sys.exit(max(run(TIMING, f"silicon_lines.py {name}", part) for name, part in parts.items()))
