"""What an upgrade will do: a row for each case of the rules, and for each item of NodeMCU's guide."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import dumps, nodemcu, upgrades
from fixtures.upgrades import MB, Build3, before_3, flash, from_3, spiffs, used, used_3
from imgtool.cli.app import COMMANDS
from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.operations.advise.old_flash import old_flash
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.upgrade.look import side_before
from imgtool.operations.upgrade.regions import size_points
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.values import AdviceVerdict, Topic
from tests.advice import advise
from tests.slow_reader import SlowReader
from tests.support import IMAGES, aggregate, real

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.operations.upgrade.values import FirmwareAdvice

KILO: Final = 1024
SPIFFS: Final = spiffs(16)
OLD_SPIFFS: Final = spiffs(16, old=True)
PLAIN: Final = spiffs(8, 0x1000, magic=False)
LARGE: Final = 0x30000  # irom that ends at 0x40000


@dataclass(frozen=True)
class Row:
    """A case: the flash before, the new image, and what is said of one topic; ``other`` is another tool's."""

    name: str
    old: Callable[[], bytes]
    new: Callable[[], bytes]
    topic: Topic
    verdict: str | None
    words: str = ""
    other: str | None = None
    size: str | None = None


def room(place: int, content: bytes) -> int:
    """A flash that is large enough."""
    return MB if place + len(content) <= MB else 4 * MB


def at(
    release: str, place: int, content: bytes, size: int = 0, irom: int = upgrades.SMALL
) -> Callable[[], bytes]:
    """A flash that ran a release before 3.0, with a file system."""
    return lambda: used(before_3(release, irom), {place: content}, size or room(place, content))


def release(name: str, irom: int = upgrades.SMALL) -> Callable[[], bytes]:
    return lambda: before_3(name, irom)


def ran_3(place: int, content: bytes, **options: object) -> Callable[[], bytes]:
    """A flash that ran NodeMCU 3.0, with a file system."""
    early = bool(options.get("early"))
    image = from_3(**options)
    return lambda: used_3(image, {place: content}, room(place, content), early=early)


def three(**options: object) -> Callable[[], bytes]:
    return lambda: from_3(**options)


def lfs_22() -> bytes:
    return used(before_3("2.2.1", lfs=0x8000), {0x40000: SPIFFS}, MB)


def lfs_3(number: str = "float") -> bytes:
    image = from_3(lfs=0x10000, build=Build3(number=number))
    return used_3(image, {0x20000: upgrades.lfs_region(0x1000), 0x30000: SPIFFS}, MB)


FILES: Final = Topic.FILES
ROWS: Final = [
    # D8, rule 3: a release before 3.0 looks at places behind its end, for magics by its formula.
    Row(
        "D8.3 kept at a 64 KB step",
        at("2.2.1", 0x30000, SPIFFS),
        release("2.2.1", 0xC000),
        FILES,
        "kept",
        "0x030000",
    ),
    Row(
        "D8.3 kept at an 8 KB step",
        at("2.2.1", 0x28000, spiffs(4), irom=0x18000),
        release("2.2.1", 0x17000),
        FILES,
        "kept",
        "0x028000",
    ),
    Row("D8.3 kept on 512 KB", at("2.2.1", 0x20000, SPIFFS, 512 * KILO), release("2.2.1"), FILES, "kept"),
    Row(
        "D8.3 not where it looks",
        at("2.2.1", 0x200000, SPIFFS),
        release("2.2.1"),
        FILES,
        "formatted",
        "not there",
    ),
    Row(
        "D8.3 behind the last place",
        at("2.2.1", 0x40000, SPIFFS, 512 * KILO, 0x30000),
        release("2.2.1"),
        FILES,
        "formatted",
        "8 places from 0x020000 to 0x02e000",
    ),
    Row(
        "D8.3 old magics, linear wanted",
        at("2.0.0", 0x30000, OLD_SPIFFS),
        release("2.2.1"),
        FILES,
        "formatted",
        "the old magics",
    ),
    Row(
        "D8.3 linear magics, old wanted",
        at("2.2.1", 0x30000, SPIFFS),
        release("2.0.0"),
        FILES,
        "formatted",
        "the linear magics",
    ),
    Row(
        "D8.3 on 512 KB at an 8 KB step",
        at("2.2.1", 0x24000, SPIFFS, 512 * KILO, 0x14000),
        release("2.2.1"),
        FILES,
        "kept",
        "0x024000",
    ),
    Row(
        "D8.3 small blocks, 2.0.0 looks for large ones",
        at("1.5.4.1-20161201", 0x30000, spiffs(16, 0x1000, old=True)),
        release("2.0.0"),
        FILES,
        "formatted",
        "blocks of 4096 bytes",
    ),
    Row(
        "D8.3 small blocks, 2.0.0 has room for no others",
        at("1.5.4.1-20161201", 0x76000, spiffs(5, 0x1000, old=True), 512 * KILO, 0x64000),
        release("2.0.0", 0x64000),
        FILES,
        "kept",
    ),
    Row(
        "D8.3 small blocks, 2.2.1 looks for both",
        at("2.2.1", 0x30000, spiffs(16, 0x1000)),
        release("2.2.1"),
        FILES,
        "kept",
    ),
    Row(
        "D8.3 into the old formula",
        at("1.5.4.1-20160802", 0x30000, SPIFFS),
        release("1.5.4.1-20161201"),
        FILES,
        "formatted",
    ),
    Row(
        "D8.3 out of the old formula",
        at("2.1.0-20170521", 0x30000, OLD_SPIFFS),
        release("2.1.0-20170811"),
        FILES,
        "formatted",
    ),
    Row(
        "D8.3 over the old formula", at("1.5.4.1-20160802", 0x30000, SPIFFS), release("2.2.1"), FILES, "kept"
    ),
    Row(
        "D8.3 within the old formula",
        at("1.5.4.1-20161201", 0x30000, OLD_SPIFFS),
        release("2.1.0-20170521"),
        FILES,
        "kept",
    ),
    Row(
        "D8.3 a stale one is found first",
        lambda: used_3(from_3(0x21000), {0x22000: spiffs(6), 0x40000: spiffs(7)}, MB),
        release("2.2.1"),
        FILES,
        "lost",
        "stale SPIFFS at 0x040000",
    ),
    Row(
        "D8.3 the middle is found first",
        ran_3(0x22000, spiffs(20), end=0x21000),
        release("2.2.1"),
        FILES,
        "lost",
        "inside it",
    ),
    # D8, rule 4: 3.0 mounts its partition alone.
    Row(
        "D8.4 kept at the partition",
        at("2.2.1", 0x20000, SPIFFS, irom=0x8000),
        three(),
        FILES,
        "kept",
        "begins, and fits",
    ),
    Row(
        "D8.4 elsewhere", at("2.2.1", 0x30000, SPIFFS), three(), FILES, "formatted", "only what begins there"
    ),
    Row(
        "D8.4 the partition begins in its middle",
        at("2.2.1", 0x20000, spiffs(100), irom=0x8000),
        three(end=0x20000, lfs=0x8000),
        FILES,
        "lost",
        "inside it",
    ),
    Row(
        "D8.4 a stale one in the partition",
        lambda: used(
            before_3("2.2.1", 0x18000), {0x30000: spiffs(8), 0x20000 + 0x8000 + 0x20000: spiffs(4)}, MB
        ),
        three(lfs=0x28000),
        FILES,
        "lost",
        "on a stale one",
    ),
    Row(
        "D8.4 blocks of 4 KB",
        at("2.2.1", 0x20000, spiffs(16, 0x1000), irom=0x8000),
        three(),
        FILES,
        "formatted",
        "blocks of 8192",
    ),
    Row(
        "D8.4 old magics",
        at("2.0.0", 0x20000, OLD_SPIFFS, irom=0x8000),
        three(),
        FILES,
        "formatted",
        "old magics",
    ),
    Row("D8.4 the same image", ran_3(0x20000, SPIFFS), three(), FILES, "kept"),
    Row(
        "D8.4 larger irom, table kept",
        ran_3(0x30000, SPIFFS, lfs=0x10000),
        three(lfs=0x10000, end=0x1F000),
        FILES,
        "kept",
    ),
    Row("D8.4 larger irom", ran_3(0x20000, SPIFFS), three(end=0x24000), FILES, "overwritten", other=None),
    Row("D8.4 smaller irom", ran_3(0x24000, SPIFFS, end=0x24000), three(), FILES, "kept", other="formatted"),
    Row(
        "D8.4 other LFS size",
        ran_3(0x30000, SPIFFS, lfs=0x10000),
        three(lfs=0x8000),
        FILES,
        "kept",
        other="formatted",
    ),
    Row(
        "D8.4 fixed at 1 MB",
        ran_3(0x100000, SPIFFS, spiffs=0x100000),
        three(spiffs=0x100000, end=0x28000),
        FILES,
        "kept",
    ),
    # D8, rule 5.
    Row(
        "D8.5 overwritten",
        at("2.2.1", 0x30000, SPIFFS),
        release("2.2.1", 0x60000),
        FILES,
        "overwritten",
        "ends at 0x070000",
    ),
    Row(
        "D8.5 overwritten, and the rest is mounted",
        at("2.2.1", 0x30000, spiffs(40)),
        release("2.2.1", 0x28000),
        FILES,
        "overwritten",
        "empty or broken",
    ),
    # D8, rule 6: without magics, or with.
    Row(
        "D8.6 0.9.5 to 2.2.1",
        at("0.9.5", 0x20000, PLAIN),
        release("2.2.1", 0x8000),
        FILES,
        "formatted",
        "no magics",
    ),
    Row("D8.6 1.4.0 to 3.0", at("1.4.0", 0x20000, PLAIN), three(), FILES, "formatted", "no magics"),
    Row(
        "D8.6 2.2.1 to 1.4.0",
        at("2.2.1", 0x30000, SPIFFS),
        release("1.4.0"),
        FILES,
        "lost",
        "does not read",
    ),
    Row(
        "D8.6 0.9.5 to 1.4.0, whose pages have another layout",
        at("0.9.5", 0x20000, PLAIN),
        release("1.4.0"),
        FILES,
        "lost",
        "wrong names",
    ),
    Row("D8.6 1.4.0 to 1.5.1", at("1.4.0", 0x20000, PLAIN), release("1.5.1"), FILES, "kept"),
    Row(
        "D8.6 1.4.0 to a larger 1.5.1",
        at("1.4.0", 0x20000, PLAIN),
        release("1.5.1", 0x14000),
        FILES,
        "overwritten",
    ),
    Row(
        "D8.6 0.9.5 to a smaller 1.4.0",
        at("0.9.5", 0x28000, PLAIN, irom=0x16000),
        release("1.4.0"),
        FILES,
        "lost",
        "it was at",
    ),
    # D8, rule 7: the table of 2020-09.
    Row(
        "D8.7 over the new table",
        ran_3(0x20000, spiffs(112), early=True),
        three(),
        FILES,
        "kept",
        other="formatted",
    ),
    Row(
        "D8.7 a fixed size is not touched",
        ran_3(0x100000, SPIFFS, early=True, spiffs=0x100000),
        three(spiffs=0x100000),
        FILES,
        "kept",
    ),
    # H: the guide's list.
    Row("H scripts", at("0.9.5", 0x20000, PLAIN), release("2.2.1"), Topic.API, "changed", "socket:send()"),
    Row(
        "H Lua 5.3",
        ran_3(0x20000, SPIFFS),
        three(build=Build3(lua="5.3.5")),
        Topic.LUA,
        "changed",
        "5.1.4 becomes 5.3.5",
    ),
    Row(
        "H number type",
        ran_3(0x20000, SPIFFS),
        three(build=Build3(number="integer")),
        Topic.NUMBERS,
        "changed",
    ),
    Row(
        "H modules",
        ran_3(0x20000, SPIFFS),
        three(build=Build3(modules="file,net")),
        Topic.MODULES,
        "lost",
        "gpio, node",
    ),
    Row("H SSL", ran_3(0x20000, SPIFFS, build=Build3(ssl="true")), three(), Topic.SSL, "lost"),
    Row(
        "H files: larger than there is room for",
        at("2.2.1", 0x30000, spiffs(486)),
        release("2.2.1"),
        FILES,
        "formatted",
        "room for 3,973,120",
    ),
    Row(
        "H several file systems",
        lambda: used(before_3("2.2.1"), {0x30000: SPIFFS, 0x80000: SPIFFS}, MB),
        release("2.2.1"),
        Topic.STALE_FILES,
        "kept",
        "0x080000",
    ),
    Row(
        "H silent first boot",
        at("2.2.1", 0x200000, SPIFFS),
        release("2.2.1"),
        Topic.FIRST_BOOT,
        "changed",
        "about 44 s (up to 388 s)",
    ),
    Row(
        "H init data moves",
        at("2.2.1", 0x30000, SPIFFS),
        three(),
        Topic.INIT_DATA,
        "rewritten",
        "it was at 0x0fc000",
    ),
    Row(
        "H init data back",
        ran_3(0x20000, SPIFFS),
        release("2.2.1"),
        Topic.INIT_DATA,
        "rewritten",
        "it was at 0x00f000",
    ),
    Row(
        "H init data kept", at("2.2.1", 0x30000, SPIFFS), release("2.0.0"), Topic.INIT_DATA, "kept", "set v05"
    ),
    Row(
        "H RF cal with new init data",
        lambda: used_3(from_3(), {0x20000: SPIFFS, MB - 0x5000: dumps.CALIBRATION}, MB),
        release("2.2.1"),
        Topic.RF_CAL,
        "rewritten",
    ),
    Row(
        "H boot loop of early 1.5.4.1",
        lambda: flash(before_3("2.2.1"), {}, MB),
        release("1.5.4.1-20160802"),
        Topic.INIT_DATA,
        "rewritten",
        other="boot-loop",
    ),
    Row(
        "H boot loop over Arduino's RF cal",
        lambda: flash(before_3("2.2.1"), {0xFC000: b"\x30\x11"}, MB),
        release("2.2.1"),
        Topic.INIT_DATA,
        "rewritten",
        other="boot-loop",
    ),
    Row(
        "H erased, and written at first boot",
        lambda: flash(before_3("2.2.1"), {}, MB),
        release("1.5.4.1-20161201"),
        Topic.INIT_DATA,
        "rewritten",
        other=None,
    ),
    Row(
        "H 3.0 heals itself",
        lambda: flash(before_3("2.2.1"), {0xF000: b"\x30"}, MB),
        three(),
        Topic.INIT_DATA,
        "rewritten",
        other=None,
    ),
    Row("H 3.0 on 512 KB", at("2.2.1", 0x20000, SPIFFS, 512 * KILO), three(), Topic.FLASH_SIZE, "refused"),
    Row(
        "H larger than the flash",
        at("2.2.1", 0x20000, SPIFFS, 512 * KILO),
        release("2.2.1", 0x70000),
        Topic.FLASH_SIZE,
        "refused",
    ),
    Row(
        "H reaches the SDK's sectors",
        at("2.2.1", 0x20000, SPIFFS, 512 * KILO),
        release("2.2.1", 0x6C000),
        Topic.FLASH_SIZE,
        "refused",
        "0x07b000",
    ),
    Row(
        "H 16 MB under 2.0",
        at("2.2.1", 0x30000, SPIFFS, 16 * MB),
        release("2.0.0"),
        Topic.FLASH_SIZE,
        "changed",
        "before 2.1.0",
    ),
    Row(
        "H smaller size under 3.0",
        lambda: used_3(from_3(), {}),
        three(),
        Topic.FLASH_SIZE,
        "kept",
        other="changed",
    ),
    Row(
        "H mixed builds",
        lambda: flash(before_3("2.2.1"), {}),
        lambda: aggregate("broken/mixed"),
        Topic.BUILDS,
        "boot-loop",
    ),
    Row(
        "H mode",
        at("2.2.1", 0x30000, SPIFFS, 4 * MB),
        lambda: aggregate("nodemcu-1.5.4.1-cloud"),
        Topic.FLASH_MODE,
        "kept",
        "recommends dio",
    ),
    # LFS, facts 6 and 8.
    Row(
        "LFS of 2.2 is in irom",
        lfs_22,
        release("2.2.1"),
        Topic.LFS,
        "lost",
        "inside 0x10000.bin, at 0x020000",
    ),
    Row("LFS of 3.0 stays", lfs_3, three(lfs=0x10000), Topic.LFS, "kept", other=None),
    Row(
        "LFS of 3.0 moves with another tool",
        lfs_3,
        three(lfs=0x10000, end=0x1C000),
        Topic.LFS,
        "kept",
        other="lost",
    ),
    Row("LFS of 3.0 under 2.2", lfs_3, release("2.2.1"), Topic.LFS, "lost", "has no place"),
    Row(
        "LFS for other numbers",
        lfs_3,
        three(lfs=0x10000, build=Build3(number="integer")),
        Topic.LFS,
        "lost",
        "float numbers",
    ),
    Row(
        "LFS for another Lua",
        lfs_3,
        three(lfs=0x10000, build=Build3(lua="5.3.5")),
        Topic.LFS,
        "lost",
        "Lua 5.1",
    ),
    Row("LFS is empty", ran_3(0x30000, SPIFFS, lfs=0x10000), three(lfs=0x10000), Topic.LFS, "none"),
    # Settings, fact 7.
    Row(
        "settings are carried over",
        ran_3(0x20000, SPIFFS),
        three(),
        Topic.SETTINGS,
        "kept",
        "start-up command",
        other="lost",
    ),
    Row("settings under 2.2", ran_3(0x20000, SPIFFS), release("2.2.1"), Topic.SETTINGS, "lost"),
    Row("networks move", at("2.2.1", 0x30000, SPIFFS), three(early=True), Topic.WIFI, "lost", "0x00d000"),
    # What is not NodeMCU.
    Row(
        "Arduino to NodeMCU",
        lambda: IMAGES["dumps/arduino-4m.bin"],
        release("2.2.1"),
        FILES,
        "none",
        "the LittleFS at 0x200000 (65,536 bytes) holds no files",
    ),
    Row(
        "Arduino's RF cal",
        lambda: IMAGES["dumps/arduino-4m.bin"],
        release("2.2.1"),
        Topic.INIT_DATA,
        "rewritten",
    ),
    Row(
        "NodeMCU to Arduino",
        at("2.2.1", 0x200000, SPIFFS),
        lambda: IMAGES["arduino/core-2.7.bin"],
        FILES,
        "lost",
    ),
    Row(
        "NodeMCU to Arduino, init data",
        at("2.2.1", 0x200000, SPIFFS),
        lambda: IMAGES["arduino/core-2.7.bin"],
        Topic.INIT_DATA,
        "none",
        "compiled in",
    ),
    Row(
        "NodeMCU to MicroPython",
        at("2.2.1", 0x200000, SPIFFS),
        lambda: IMAGES["micropython/micropython.bin"],
        FILES,
        "lost",
    ),
    Row(
        "MicroPython to NodeMCU",
        lambda: IMAGES["dumps/micropython-1m.bin"],
        release("2.2.1"),
        FILES,
        "formatted",
        "28,672 bytes of the FAT volume at 0x098000",
    ),
    Row("AT to NodeMCU", lambda: IMAGES["dumps/at-512k.bin"], release("2.2.1"), Topic.INIT_DATA, "kept"),
    Row(
        "NodeMCU to RTOS",
        at("2.2.1", 0x200000, SPIFFS),
        lambda: IMAGES["rtos3/bootloader.bin"],
        FILES,
        "lost",
    ),
    Row(
        "image of an Arduino sketch to NodeMCU",
        lambda: IMAGES["arduino/core-2.7.bin"],
        three(),
        FILES,
        "unknown",
        "OLD is an image",
        size="4MB",
    ),
    # What is half, or nothing.
    Row(
        "half of a firmware",
        at("2.2.1", 0x30000, SPIFFS),
        lambda: before_3("2.0.0")[:0x10000].rstrip(b"\xff"),
        Topic.BUILDS,
        "unknown",
        "half of a firmware: 0x10000.bin stays",
    ),
    Row(
        "half of another firmware over 3.0",
        ran_3(0x20000, SPIFFS),
        lambda: IMAGES["arduino/core-2.7.bin"],
        Topic.SETTINGS,
        "lost",
        "no such page",
    ),
    Row(
        "a web page",
        at("2.2.1", 0x30000, SPIFFS),
        lambda: b"<html><body>404</body></html>",
        Topic.BUILDS,
        "refused",
        "this is a web page",
    ),
    Row(
        "a dump without the SDK's last sectors",
        lambda: at("2.2.1", 0x200000, SPIFFS, 4 * MB)()[:-0x1000],
        release("2.2.1"),
        FILES,
        "formatted",
        size="4MB",
    ),
    # What was not read is not known.
    Row(
        "cut before the files",
        lambda: at("2.2.1", 0x200000, SPIFFS)()[:0x100000],
        release("2.2.1"),
        FILES,
        "unknown",
        "was not read",
        size="4MB",
    ),
    Row(
        "cut before the init data",
        lambda: at("2.2.1", 0x30000, SPIFFS)()[:0x100000],
        release("2.2.1"),
        Topic.INIT_DATA,
        "unknown",
        size="4MB",
    ),
    # OLD is an image.
    Row("image to image", release("2.2.1"), release("2.2.1"), FILES, "kept", size="4MB"),
    Row("image to image over 3.0", release("2.2.1"), three(), FILES, "formatted", size="4MB"),
    Row("image of 3.0 to itself", three(lfs=0x10000), three(lfs=0x10000), Topic.LFS, "kept", size="4MB"),
]


CASES_OF_D8: Final = ("3", "4", "5", "6", "7")  # 1 and 2 say how to find out what is there
LIST_OF_H: Final[dict[str, str | list[str]]] = {
    "scripts that are not compatible": ["H scripts", "H Lua 5.3", "H number type"],
    "file system moved or formatted": ["D8.3 not where it looks", "D8.4 elsewhere"],
    "files exist but are empty": [
        "D8.5 overwritten, and the rest is mounted",
        "D8.3 the middle is found first",
    ],
    "silent first boot": ["H silent first boot"],
    "init data changes": ["H init data moves", "H init data back", "H init data kept"],
    "rf_cal[0] loop": ["H boot loop over Arduino's RF cal", "H 3.0 heals itself"],
    "early 1.5.4.1 writes none": ["H boot loop of early 1.5.4.1", "H erased, and written at first boot"],
    "address by capacity": ["H init data moves", "H larger than the flash"],
    "8 and 16 MB under 2.0": ["H 16 MB under 2.0"],
    "512 KB or 1 MB": ["H 3.0 on 512 KB", "H reaches the SDK's sectors"],
    "mode": ["H mode"],
    "which files where": ["H mixed builds", "half of a firmware"],
    "default firmware of the flasher": "test_the_default_firmware_of_the_windows_flasher",
    "chip id e0 4016": "imgtool id",
    "try a smaller size": ["H smaller size under 3.0"],
    "sizes in bits": "imgtool flash --flash-size 32m",
    "settings page kept": ["settings are carried over", "settings under 2.2"],
}
"""The guide's problem list, and what answers: rows above, a test of its own, or another command."""


def test_each_case_of_the_rules_and_of_the_list_has_its_row() -> None:
    names = {row.name for row in ROWS}
    rules = {name.split()[0].removeprefix("D8.") for name in names if name.startswith("D8.")}

    assert len(names) == len(ROWS)
    assert rules == set(CASES_OF_D8)
    for item, answers in LIST_OF_H.items():
        if isinstance(answers, list):
            assert set(answers) <= names, item
        elif answers.startswith("imgtool "):
            assert answers.split()[1] in COMMANDS, item
        else:
            assert answers in globals(), item


@cache
def of(row: Row) -> FirmwareAdvice:
    # Many rows write the build that is there already, as what becomes of the rest does not depend on that.
    return advise(row.old(), row.new(), size=row.size, compare=lambda _: None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_becomes_of_it(row: Row) -> None:
    advice = of(row)
    points = [point for point in advice.points if point.topic is row.topic]

    assert points or row.verdict is None, [str(p.topic) for p in advice.points]
    assert row.verdict in [point.verdict for point in points], [(p.verdict, p.reason) for p in points]
    assert any(row.words in point.reason for point in points), [p.reason for p in points]
    found = [point.verdict for point in advice.other if point.topic is row.topic]
    if row.other is not None or advice.point(row.topic) is None:
        assert found == [row.other], [(p.topic, p.verdict, p.reason) for p in advice.other]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_advice_is_one(row: Row) -> None:
    advice = of(row)
    harm = {"formatted", "overwritten", "lost", "boot-loop", "refused"}

    assert advice.ok == all(point.ok for point in advice.points)
    assert not any(point.ok for point in advice.points if point.verdict in harm)
    assert advice.sentence.endswith(".")
    assert advice.sentence[0].isupper()
    assert all(point.reason and not point.reason.endswith(".") for point in advice.points)
    assert ("imgtool read" in advice.cures[0].commands[0]) is not advice.ok
    assert any("silicon" in note for note in advice.notes)


def test_the_same_again() -> None:
    advice = advise(lfs_3(), from_3(lfs=0x10000))

    assert (advice.ok, advice.sentence.startswith("Nothing changes")) == (True, True)
    assert {point.verdict for point in advice.points} <= {AdviceVerdict.KEPT, AdviceVerdict.NONE}


def test_another_build_is_no_same_again() -> None:
    assert not advise(lfs_3(), from_3(lfs=0x10000, end=0x1F000)).sentence.startswith("Nothing changes")


def test_a_partition_table_of_a_smaller_flash_is_refused() -> None:
    advice = advise(used(before_3("2.2.1"), {0x20000: SPIFFS}, 512 * KILO), from_3())

    assert [point.topic for point in advice.points] == [Topic.FLASH_SIZE]
    assert "would not start" in advice.elsewhere


def test_what_is_said_of_a_smaller_size_than_the_chip_has() -> None:
    # From 2.1 on NodeMCU knows 16 MB, and corrects a header that says less.
    sides = [
        side_before(OldFlash.of_dump(before_3(name).ljust(16 * MB, b"\xff"), 16 * MB, "flash-dump"))
        for name in ("2.2.1", "2.0.0")
    ]
    newer, older = (size_points(side, side)[0] for side in sides)

    assert "NodeMCU up to 2.2.1 may correct that itself" in newer.reason
    assert "NodeMCU before 2.1.0 does not know larger sizes" in older.reason


def test_a_fixed_place_is_proposed_where_it_helps() -> None:
    advice = advise(used(before_3("2.2.1"), {0x30000: SPIFFS}), from_3())
    commands = [command for cure in advice.cures for command in cure.commands]

    assert any("--spiffs-addr 0x100000" in command for command in commands)


def test_what_is_written_by_name_brings_files() -> None:
    pieces = [Piece(0, from_3(), "n.bin"), Piece(0x20000, spiffs(20), "fs.bin")]
    advice = advise(used_3(from_3(), {0x20000: SPIFFS}), pieces)

    point = advice.point(Topic.FILES)
    assert point is not None
    assert (point.verdict, "of its own" in point.reason) == ("overwritten", True)


@pytest.mark.parametrize("data", [before_3("2.2.1"), from_3()], ids=["2.2.1", "3.0"])
def test_an_image_does_not_tell_the_capacity(data: bytes) -> None:
    with pytest.raises(LayoutError, match="does not tell how large"):
        advise(data, before_3("2.2.1"))


def test_a_page_that_was_not_read() -> None:
    dump = used_3(from_3(), {0x20000: SPIFFS})
    points = advise(OldFlash.of_dump(dump[:0x10000], 4 * MB, "flash-dump"), from_3()).points

    assert [p.verdict for p in points if p.topic in (Topic.SETTINGS, Topic.LFS)] == ["unknown"] * 2


@pytest.mark.parametrize(
    "data", [b"<html>404</html>", nodemcu.V05, spiffs(4), before_3("2.2.1")[0x10000:]], ids=len
)
def test_what_is_no_flash_is_no_old(data: bytes) -> None:
    with pytest.raises(FormatError, match="neither a dump nor an image"):
        advise(data, before_3("2.2.1"), size="4MB")


def test_part_of_a_dump_does_not_tell_the_capacity() -> None:
    with pytest.raises(LayoutError, match="does not tell how large"):
        advise(b"\xff" * 0x3000, before_3("2.2.1"))


def test_a_fixed_place_is_proposed_for_a_table_of_its_own_alone() -> None:
    half = from_3()[:0x10000].rstrip(b"\xff")
    advice = advise(used_3(from_3(), {0x40000: SPIFFS}, 4 * MB), half)

    assert not any("--spiffs-addr" in c for cure in advice.cures for c in cure.commands)


def test_half_of_a_pair_is_no_old() -> None:
    with pytest.raises(FormatError, match="irom part"):
        advise(before_3("2.2.1")[:0x10000].rstrip(b"\xff"), before_3("2.2.1"), size="1MB")


def test_old_is_larger_than_the_flash() -> None:
    with pytest.raises(LayoutError, match="longer than the flash"):
        old_flash(bytes(MB), 512 * KILO)


def test_the_default_firmware_of_the_windows_flasher() -> None:
    new = real("nodemcu/nodemcu_integer_0.9.5_20150318.bin")
    points = [p for p in advise(used(before_3("2.2.1"), {}), new).points if p.topic is Topic.BUILDS]

    assert ["flasher writes by default" in point.reason for point in points] == [True]


# Breaks of the API.


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.9.5", "1.5.1", ["socket:send()"]),
        ("1.5.1", "2.0.0", []),
        ("2.0.0", "2.1.0-20170521", ["sjson"]),
        ("2.1.0-20170521", "2.1.0-20170811", ["wifi.sta.config()", "eventMonReg()"]),
        ("2.1.0-20170811", "2.2.1", ["init()"]),
        ("2.2.1", "2.2.1", []),
        ("2.2.1", "2.0.0", []),
    ],
)
def test_breaks_by_the_versions_that_are_crossed(old: str, new: str, words: list[str]) -> None:
    advice = advise(used(before_3(old), {}), before_3(new))
    told = [point for point in advice.points if point.topic is Topic.API]

    assert [any(word in point.reason for word in words) for point in told] == [True] * len(words)
    assert all(re.match(r"https://", point.source) for point in told)


@pytest.mark.parametrize(("early", "count"), [(True, 3), (False, 4)])
def test_breaks_of_3(early: bool, count: int) -> None:
    advice = advise(used(before_3("2.2.1"), {}), from_3(early=early))

    assert len([point for point in advice.points if point.topic is Topic.API]) == count


# A device is read in small stretches.


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.size is None and row.name.startswith(("D8.4", "D8.5", "LFS", "settings"))],
    ids=lambda row: row.name,
)
def test_a_device_gets_the_advice_of_its_dump(row: Row) -> None:
    device = SlowReader(row.old())
    size = len(device.flash)
    advice, wanted = (
        advise(OldFlash(device, size, size, "device"), row.new(), compare=lambda _: None),
        of(row),
    )
    plain = "0.9.5" in row.name or "1.4.0" in row.name  # without magics a device shows no file system

    topics = (Topic.LFS, Topic.SETTINGS, Topic.INIT_DATA, *(() if plain else (Topic.FILES,)))
    for topic in topics:
        one, two = advice.point(topic), wanted.point(topic)
        assert (one and one.verdict) == (two and two.verdict), topic
    # Its firmware, and little more.
    assert device.count < side_before(old_flash(row.old())).irom_end + 0x30000
    assert len(device.reads) == len(set(device.reads))


# Anything.

NOISE: Final = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.sampled_from([b"\xe9\x03\x00\x40", b"\xea\x04\x00\x00"]), st.binary(max_size=300)).map(
        b"".join
    ),
)
USED: Final = used_3(from_3(), {0x20000: SPIFFS}, MB)
NEW: Final = {"2.2.1": before_3("2.2.1"), "3.0": from_3(), "0.9.5": before_3("0.9.5")}


@settings(max_examples=25)
@given(
    noise=NOISE,
    place=st.sampled_from([0, 0x10000, 0x1F000, 0x20000, 0xFB000]),
    new=st.sampled_from(sorted(NEW)),
)
def test_noise_is_no_reason_to_fail(noise: bytes, place: int, new: str) -> None:
    old = bytearray(USED)
    old[place : place + len(noise)] = noise

    assert advise(bytes(old), NEW[new]).sentence


@settings(max_examples=15)
@given(noise=st.binary(max_size=5000), new=st.sampled_from(sorted(NEW)))
def test_a_short_file_is_no_reason_to_fail(noise: bytes, new: str) -> None:
    with suppress(ImgtoolError):  # what is no image of a flash at all is said to be so
        assert advise(noise, NEW[new], size="1MB").sentence
