from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgtool.engine.boot_logs import explain
from imgtool.operations.explain.log import Explanation
from imgtool.operations.explain.values import Verdict
from tests.boot_logs import (
    BANNER,
    CSUM_ERR,
    DOWNLOAD,
    INIT,
    LOADED,
    LOADER,
    LOADS,
    MB4,
    NODEMCU_3,
    NOISE,
    RF,
    SDK,
    ZEROS,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Case(NamedTuple):
    """A log, its verdict, and words that the explanation must have, commands included."""

    name: str
    log: str
    verdict: Verdict
    words: tuple[str, ...] = ()


CASES = [
    Case("sdk", BANNER + LOADED + RF.format(1019) + SDK, Verdict.UNFINISHED, ("cannot be told", "-b 115200")),
    Case("loader", BANNER + LOADED + MB4 + RF.format(1019) + SDK, Verdict.UNFINISHED),
    Case("noise behind", BANNER + LOADED + NOISE, Verdict.UNFINISHED, ("unreadable characters",)),
    Case("arduino", BANNER + LOADED + "v0004fc60\r\n~ld\r\n", Verdict.UNFINISHED, ("cannot be told",)),
    Case(
        "watchdog once",
        BANNER.replace("2,", "4,") + "wdt reset\r\n" + LOADED + SDK,
        Verdict.UNFINISHED,
        ("hung",),
    ),
    Case("download", DOWNLOAD, Verdict.DOWNLOAD, ("GPIO0 was low",)),
    Case("download after a run", BANNER + LOADED + SDK + DOWNLOAD, Verdict.DOWNLOAD),
    Case("sdio", BANNER.replace("(3", "(7") + "waiting for host\r\n", Verdict.STRAPS, ("GPIO15 was high",)),
    Case("jump boot", BANNER.replace("(3", "(2"), Verdict.STRAPS, ("GPIO2 was low", "Leave GPIO2 open")),
    Case("only waiting", "waiting for host\r\n", Verdict.STRAPS, ("probably",)),
    Case(
        "csum err", BANNER + LOADED + CSUM_ERR, Verdict.BAD_IMAGE, ("imgtool inspect FILE", "imgtool verify")
    ),
    Case("csum differs", BANNER + LOADS + "csum 0x3a\r\n", Verdict.BAD_IMAGE, ("checksum",)),
    Case("zeros", BANNER + ZEROS + CSUM_ERR, Verdict.BAD_IMAGE, ("flash mode", "-fm dout", "-fm dio")),
    Case(
        "nonsense segment",
        BANNER + "load 0x40100000, len 31364, room 16 \r\ntail 4\r\nchksum 0xef\r\n"
        "load 0x88888888, len -2004318072, room 4 \r\n"
        "flash read err, ets_unpack_flash_code\r\nets_main.c \r\n",
        Verdict.BAD_IMAGE,
        ("flash mode", "-fm dout"),
    ),
    Case(
        "erased behind",
        BANNER + "load 0x40100000, len 25020, room 16 \r\ntail 12\r\nchksum 0x2f\r\n"
        "ho 0 tail 12 room 4\r\nload 0xffffffff, len -1, room 12 \r\n",
        Verdict.BAD_IMAGE,
        ("ends too early", "erased"),
    ),
    Case("no image", BANNER + "ets_main.c \r\n", Verdict.NO_IMAGE, ("address 0", "imgtool read")),
    Case("no image, with a number", BANNER + "ets_main.c 177 \r\n", Verdict.NO_IMAGE),
    Case("flash is silent", BANNER + "flash read err, 0\r\nets_main.c 177\r\n", Verdict.NO_IMAGE, ("GPIO6",)),
    Case(
        "no image in the slot",
        BANNER + LOADED + MB4 + "error magic!\r\nbackup boot failed.\r\n\r\nuser code done\r\n",
        Verdict.NO_IMAGE,
        ("user1 at 0x1000", "imgtool flash 0x1000 user1.bin", "(4MB)"),
    ),
    Case(
        "the slot fails",
        BANNER + LOADED + MB4 + "backup boot failed.\r\n\r\nuser code done\r\n",
        Verdict.BAD_IMAGE,
        ("fails its check",),
    ),
    Case(
        "the other slot works",
        BANNER
        + LOADED
        + MB4
        + "first boot failed, reboot to try backup bin\r\n"
        + BANNER
        + LOADED
        + MB4.replace("user1 @ 1000", "user2 @ 81000")
        + SDK
        + "ready\r\n",
        Verdict.RUNS,
        ("gave up one slot",),
    ),
    Case(
        "init data",
        BANNER + LOADED + INIT,
        Verdict.INIT_DATA,
        ("0x7c000 for 512KB", "imgtool flash @init-data v05", "imgtool flash FILE"),
    ),
    Case(
        "init data, sector known",
        BANNER + LOADED + RF.format(1019) + INIT,
        Verdict.INIT_DATA,
        ("0x3fc000", "0x3fb000", "imgtool flash @init-data v05"),
    ),
    Case(
        "init data, map known",
        BANNER + LOADED + LOADER.format(map="8Mbit(512KB+512KB)") + INIT,
        Verdict.INIT_DATA,
        ("0xfc000", "0xfb000", "imgtool flash @init-data v05"),
    ),
    Case(
        "init data, vendor's sector",
        BANNER + LOADED + MB4 + RF.format(1017) + INIT,
        Verdict.INIT_DATA,
        ("0x3fc000", "vendor's own", "imgtool flash @init-data v05"),
    ),
    Case(
        "init data, garbage",
        BANNER + LOADED + INIT.replace("FF", "3B"),
        Verdict.INIT_DATA,
        ("0x3B stands there",),
    ),
    Case("init data loop", (BANNER + LOADED + INIT) * 5 + BANNER, Verdict.INIT_DATA, ("6 boots",)),
    Case(
        "init data, NodeMCU 3",
        BANNER + LOADED + NODEMCU_3 + "boot not set\r\n" + INIT,
        Verdict.INIT_DATA,
        ("0x0f000", "imgtool flash 0x10000.bin"),
    ),
    Case(
        "NodeMCU 3, cut",
        BANNER + LOADED + NODEMCU_3,
        Verdict.UNFINISHED,
        ("partition table",),
    ),
    Case(
        "NodeMCU 3, no table",
        (BANNER + LOADED + NODEMCU_3 + "E:M -1\r\nrf_cal[0] !=0x05,is 0xE9\r\n") * 3,
        Verdict.PARTITION_TABLE,
        ("first sector of the file for 0x10000", "imgtool flash 0x10000.bin"),
    ),
    Case(
        "NodeMCU 3, 512 KB",
        (BANNER + LOADED + "Flash size (524288) too small to support NodeMCU\r\nrf_cal[0] !=0x05,is 0xE9\r\n")
        * 3,
        Verdict.TOO_SMALL_FLASH,
        ("needs 1 MB",),
    ),
    Case(
        "NodeMCU 3 formats",
        BANNER + LOADED + NODEMCU_3 + "\r\nFormatting file system. Please wait...\r\n......",
        Verdict.UNFINISHED,
        ("more flash than the chip has", "imgtool id"),
    ),
    Case(
        "another map, and it goes on",
        BANNER
        + LOADED
        + "mismatch map 2,spi_size_map 3\r\nsystem param partition error\r\n"
        + "system_partition_table_regist fail\r\nrf cal sector: 507\r\n"
        + "\r\nSDK ver: 3.0.6-dev(072755c) compiled @ Apr  6 2023 03:06:03\r\n\r\nready\r\n",
        Verdict.RUNS,
        (),
    ),
    Case(
        "another map, and no init data by it",
        (
            BANNER
            + LOADED
            + "mismatch map 2,spi_size_map 5\r\nsystem param partition error\r\n"
            + "system_partition_table_regist fail\r\nrf_cal[0] !=0x05,is 0xFF\r\n"
        )
        * 3,
        Verdict.PARTITION_TABLE,
        ("built for the map of 1MB",),
    ),
    Case("NodeMCU 3", BANNER + LOADED + NODEMCU_3 + "boot not set\r\n", Verdict.UNFINISHED),
    Case("arduino, no version", BANNER + LOADED + "~ld\r\n", Verdict.UNFINISHED),
    Case(
        "arduino, erased",
        BANNER + LOADED + "vffffffff\r\n~ld\r\n",
        Verdict.UNFINISHED,
        ("no application at 0x1000",),
    ),
    Case("arduino, no version known", BANNER + LOADED + "vffffffff\r\n~ld\r\n" + NOISE, Verdict.UNFINISHED),
    Case("the loader's own line", BANNER + LOADED + MB4 + "no GPIO select!\r\n", Verdict.UNFINISHED),
    Case(
        "512 KB",
        BANNER + LOADED + "Flash size (524288) too small to support NodeMCU\r\n",
        Verdict.TOO_SMALL_FLASH,
        ("1 MB", "imgtool id", "NodeMCU 2.2"),
    ),
    Case(
        "table invalid",
        BANNER + LOADED + "Invalid system partition table\r\n",
        Verdict.PARTITION_TABLE,
        ("fullimage --size SIZE",),
    ),
    Case(
        "alignment",
        BANNER + LOADED + "Partition 2 invalid alignment\r\n" * 99,
        Verdict.PARTITION_TABLE,
        ("'Partition 2",),
    ),
    Case(
        "table too large",
        BANNER + LOADED + "The partition table size is larger than flash size\r\n",
        Verdict.PARTITION_TABLE,
    ),
    Case(
        "map mismatch",
        BANNER + LOADED + "mismatch map 5, spi_size_map 4\r\nsystem_partition_table_regist fail\r\n",
        Verdict.PARTITION_TABLE,
        ("map of 2MB-c1", "that of 4MB", "-fs 2MB-c1"),
    ),
    Case(
        "watchdog loop",
        (BANNER.replace("2,", "4,") + "wdt reset\r\n" + LOADED + SDK) * 2,
        Verdict.BOOT_LOOP,
        ("watchdog",),
    ),
    Case("power loop", (BANNER.replace("2,", "1,") + LOADED + SDK) * 3, Verdict.BOOT_LOOP, ("supply",)),
    Case(
        "restart loop",
        (BANNER + LOADED + SDK) * 4 + BANNER + LOADS[:50],
        Verdict.BOOT_LOOP,
        ("5 boots", "deep sleep"),
    ),
    Case("silent restart loop", (BANNER + LOADED) * 3, Verdict.BOOT_LOOP),
    Case("two resets", (BANNER + LOADED + SDK) * 2, Verdict.BOOT_LOOP, ("2 boots",)),
    Case(
        "repaired",
        BANNER + LOADED + CSUM_ERR + BANNER + LOADED + SDK + "scandone\r\n",
        Verdict.RUNS,
        ("2 boots",),
    ),
    Case("banner only", BANNER, Verdict.UNFINISHED, ("before the ROM",)),
    Case("cut in the loads", BANNER + LOADS[:90], Verdict.UNFINISHED, ("while the ROM",)),
    Case("nothing behind", BANNER + LOADED, Verdict.UNFINISHED, ("115200 baud",)),
    Case("nothing behind the loader", BANNER + LOADED + MB4, Verdict.UNFINISHED),
    Case("half a banner", "\xfe\x82 ets Jan  8 20", Verdict.NOTHING_KNOWN),
    Case("exception", BANNER + LOADED + "Fatal exception (0): \r\nepc1=0x402411b4\r\n", Verdict.EXCEPTION),
    Case(
        "esp32 crash",
        "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\r\n"
        "EXCVADDR: 0x00000000  LBEG    : 0x400885a8  LEND    : 0x400885de  LCOUNT  : 0x00000000\r\n",
        Verdict.NOTHING_KNOWN,
        ("another chip",),
    ),
    Case("noise", NOISE * 4, Verdict.WRONG_BAUD, ("74880",)),
    Case("empty", "", Verdict.NOTHING_KNOWN),
    Case("another text", "Dear diary,\nit rained.\n", Verdict.NOTHING_KNOWN),
    Case(
        "esp32",
        "ets Jun  8 2016 00:22:57\r\n\r\nrst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
        "flash read err, 1000\r\nets_main.c 371 \r\n",
        Verdict.NOTHING_KNOWN,
        ("another chip",),
    ),
]


def words_of(result: Explanation) -> str:
    cures = [word for cure in result.cures for word in (cure.text, *cure.commands)]
    return "\n".join((result.sentence, result.cause, *cures, *result.notes))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_and_facts(case: Case) -> None:
    result = explain(case.log)

    assert (result.verdict, [word for word in case.words if word not in words_of(result)]) == (
        case.verdict,
        [],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_failure_has_a_cure(case: Case) -> None:
    result = explain(case.log)
    cured = result.verdict in (Verdict.RUNS, Verdict.SPEAKS, Verdict.NOTHING_KNOWN) or result.cures

    assert cured
    assert all(command.split()[0] in ("imgtool", "python") for c in result.cures for command in c.commands)


def cleaned(log: str) -> tuple[object, ...]:
    result = explain(log)
    boots = [
        (b.cause, b.mode, [s[1:] for s in b.segments], b.checksum, b.init_data_byte) for b in result.boots
    ]
    return result.verdict, boots


# What monitors, terminals and editors do to a log.
DISGUISES: dict[str, Callable[[str], str]] = {
    "line feeds": lambda log: log.replace("\r\n", "\n"),
    "carriage returns": lambda log: log.replace("\r\n", "\r"),
    "doubled": lambda log: log.replace("\r\n", "\r\r\n"),
    "times": lambda log: "".join(f"12:01:02.123 -> {line}\n" for line in log.splitlines()),
    "brackets": lambda log: "".join(f"[2019-12-12 09:45:36,678] {line}\n" for line in log.splitlines()),
    "colours": lambda log: "".join(f"\x1b[0;32m{line}\x1b[0m\n" for line in log.splitlines()),
    "nulls": lambda log: "\0" + log.replace("\n", "\n\0\0"),
    "one line": lambda log: log.replace("\r\n", " "),
    "quoted": lambda log: "".join(f"> {line}\n" for line in log.splitlines()),
    "code marks": lambda log: "".join(f"`{line}`\n" for line in log.splitlines()),
    "single spaces": lambda log: log.replace("Jan  8", "Jan 8"),
    "noise in front": lambda log: NOISE + log,
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("log", [BANNER + LOADED + INIT, BANNER + ZEROS + CSUM_ERR], ids=["init", "zeros"])
def test_log_is_read_through_a_monitor(disguise: str, log: str) -> None:
    assert cleaned(DISGUISES[disguise](log)) == cleaned(log)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    log = BANNER + LOADED + INIT

    assert explain(log.encode(encoding)).verdict is Verdict.INIT_DATA


def test_lost_characters_are_said() -> None:
    result = explain(BANNER + LOADED.replace("len 2888", "len 288") + SDK)

    assert result.verdict is Verdict.UNFINISHED
    assert "line 6" in words_of(result)


def test_contradicting_sizes_are_said() -> None:
    assert "that of 1MB, but the boot loader says 4MB" in words_of(
        explain(BANNER + LOADED + MB4 + RF.format(251) + SDK)
    )


PIECES = [
    BANNER,
    DOWNLOAD,
    LOADS,
    LOADED,
    ZEROS,
    CSUM_ERR,
    MB4,
    RF,
    RF.format(99999),
    SDK,
    INIT,
    NOISE,
    "\x1b[",
    "len -",
]
PIECES += [
    "error magic!\n",
    "mismatch map 99, spi_size_map 7\n",
    "load 0xffffffff, len -1, room 999 \ntail 999\n",
]


@given(log=st.binary(max_size=400) | st.text(max_size=400))
@example(b"\x1b[0m")
@example("\ud800")
def test_any_bytes_are_explained(log: bytes | str) -> None:
    result = explain(log)

    assert result.verdict in (Verdict.WRONG_BAUD, Verdict.NOTHING_KNOWN, Verdict.UNFINISHED)


@given(
    pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=12),
    start=st.integers(0, 60),
    end=st.integers(0, 60),
)
def test_pieces_of_logs_are_explained(pieces: list[str], start: int, end: int) -> None:
    log = "".join(pieces)
    result = explain(log[start : len(log) - end])

    assert result.sentence
    assert result.cause
    assert result.foreign == (not result.boots)
