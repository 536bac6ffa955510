"""``imgtool flash`` on virtual chips: plan, result, JSON, log, many boards, errors that a user can cause.

Nearly all go by the ROM loader, as the virtual chip interprets a stub instruction by instruction.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imgtool.device import port as ports
from imgtool.device import port_list
from imgtool.device.events import Event
from imgtool.device.host_ports import PortInfo
from imgtool.device.port_errors import BusyPortError, ForbiddenPortError, UnusablePortError
from imgtool.device.stub import espressif_stubs
from imgtool.device.wire import Lines, Wire, WireTraits
from imgtool.engine.jobs import flash as flash_job
from imgtool.operations.flashing import transfer as transfers
from imgtool.operations.flashing import waivers
from imgtool.virtual.line.wire import open_sim
from tests.device.boards import Apart
from tests.support import IMAGES, Command, Put, aggregate

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.device.session import Session
    from imgtool.operations.flashing.transfer import Job

PORT = "sim:512KB,flash=f.bin"
ROM = ("--stub", "none")
SIZE = 0x80000
INIT = 0x7C000
V05 = IMAGES["init-data/v05.bin"]
needs_stub = pytest.mark.skipif(not espressif_stubs(), reason="no esptool with a flasher stub is installed")


pytestmark = pytest.mark.usefixtures("no_port_set")


@pytest.fixture
def small(put: Put, folder: Path) -> Path:
    """The current folder, with the first half of the sample in it, which is enough to be started."""
    put("0x00000.bin", "sample/0x00000.bin")
    return folder


def held(folder: Path, name: str = "f.bin") -> bytes:
    """The flash of the board."""
    return (folder / name).read_bytes()


def result(out: str) -> dict[str, Any]:
    document = json.loads(out)
    assert (document["schema"], document["command"], len(document["results"])) == (1, "flash", 1)
    fields: dict[str, Any] = document["results"][0]
    return fields


def with_size(image: bytes, code: int) -> bytes:
    return image[:3] + bytes([code << 4 | image[3] & 0xF]) + image[4:]


# What is written.


def test_first_flash(pair: Path, imgtool: Command) -> None:
    run = imgtool("flash", "-p", PORT, *ROM)

    image = with_size(aggregate("sample"), 0)
    flash = held(pair)
    assert (run.code, flash[: len(image)] == image) == (0, True)
    assert (flash[INIT : INIT + 128] == V05, flash[INIT - 0x1000 : INIT].strip(b"\xff")) == (True, b"")


def test_from_bin(put: Put, imgtool: Command, folder: Path) -> None:
    put("bin/0x00000.bin", "sample/0x00000.bin")

    assert imgtool("flash", "-p", PORT, *ROM).code == 0
    assert held(folder)[4:0x1000] == IMAGES["sample/0x00000.bin"][4:0x1000]


def test_no_image_at_all(imgtool: Command) -> None:
    run = imgtool("flash", "-p", PORT)

    assert (run.code, "expected ./0x*.bin or ./bin/0x*.bin" in " ".join(run.err.split())) == (2, True)


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ([], "e9030240"),
        (["-fs", "keep"], "e9030220"),
        (["-fs", "8m"], "e9030220"),
        (["--flash-size", "2MB-c1", "-fm", "qio", "-ff", "80m"], "e903005f"),
    ],
    ids=" ".join,
)
def test_header(small: Path, imgtool: Command, options: list[str], header: str) -> None:
    port = "sim:4MB,flash=f.bin"
    run = imgtool("write-flash", "0", "0x00000.bin", "-p", port, *ROM, "--no-boot-check", *options)

    assert (run.code, held(small)[:4].hex()) == (0, header)


def test_megabits_are_told(small: Path, imgtool: Command) -> None:
    run = imgtool("flash", small, "-p", PORT, *ROM, "--dry-run", "-fs", "4m")

    assert "in megabits" in run.err


def test_init_data_with_a_field(pair: Path, imgtool: Command) -> None:
    imgtool("flash", "-p", PORT, *ROM, "--no-boot-check", "--init-data", "v08", "--set", "vdd33_const=33")

    assert held(pair)[INIT : INIT + 128] != V05
    assert held(pair)[INIT + 107] == 33


def test_the_whole_flash_is_erased_first(small: Path, put: Put, imgtool: Command) -> None:
    put("f.bin", b"\x55" * SIZE)
    run = imgtool("flash", "-p", PORT, *ROM, "--no-boot-check", "-e")

    flash = held(small)
    assert (run.code, flash[0x40000:INIT].strip(b"\xff")) == (0, b"")
    assert "erase  the whole flash" in run.out


def test_others_are_left_alone(small: Path, put: Put, imgtool: Command) -> None:
    put("f.bin", b"\x55" * SIZE)
    imgtool("flash", "-p", PORT, *ROM, "--no-boot-check", "--init-data", "none")

    assert held(small)[0x40000:INIT] == b"\x55" * (INIT - 0x40000)


@needs_stub
def test_what_is_right_already_is_left(put: Put, imgtool: Command) -> None:
    put("v05.bin", "init-data/v05.bin")
    arguments = ("flash", hex(INIT), "v05.bin", "-p", PORT, "--no-boot-check")

    assert "written and verified: 4,096 bytes in " in imgtool(*arguments).out
    assert "nothing to write: 4,096 bytes are right already, verified in " in imgtool(*arguments).out
    assert "written and verified: 4,096 bytes in " in imgtool(*arguments, "--no-diff").out


# What is said.


def test_the_plan(pair: Path, imgtool: Command) -> None:
    out = imgtool("flash", "-p", PORT, *ROM, "--dry-run").out

    assert held(pair).strip(b"\xff") == b""
    lines = out.splitlines()
    assert lines[0] == "NodeMCU 2.2.0, SDK 2.2.1(6ab97e9)"
    assert lines[1:4] == [
        "  chip    ESP8266EX, MAC 18:fe:34:a1:b2:c3, crystal 26 MHz",
        "  flash   GigaDevice GD25Q40 (c8 4013), 512 KB",
        "  header  dio, 40m, 512KB",
    ]
    assert "  stub    none: the ROM loader, at 921,600 baud" in lines
    rows = [line.split() for line in lines if line.startswith("  0x")]
    assert rows[:2] == [
        ["0x000000", "36,864", "write", "0x00000.bin"],
        ["0x010000", "122,880", "write", "0x10000.bin"],
    ]
    assert ["0x07b000", "4,096", "erase"] in [row[:3] for row in rows]
    assert ["0x07d000", "12,288", "keep"] in [row[:3] for row in rows]


@pytest.mark.parametrize("arguments", [["--dry-run"], [], ["-e", "--force", "protection"]], ids=" ".join)
def test_width(small: Path, imgtool: Command, arguments: list[str]) -> None:
    assert small.is_dir()
    run = imgtool("flash", "-p", PORT, *ROM, *arguments)

    assert max(len(line) for line in (run.out + run.err).splitlines()) <= 80


def test_the_last_lines(pair: Path, imgtool: Command) -> None:
    assert pair.is_dir()
    last = imgtool("flash", "-p", PORT, *ROM).out.splitlines()[-3:]

    assert last[0].startswith("written, not verified: 167,936 bytes in ")
    assert last[1].endswith("--verify readback reads it back)")
    assert last[2] == "boot: NodeMCU runs; nothing in this log is wrong."


def test_verify_none_says_so(put: Put, imgtool: Command) -> None:
    put("v05.bin", "init-data/v05.bin")
    run = imgtool("flash", hex(INIT), "v05.bin", "-p", PORT, *ROM, "--verify", "none", "--no-boot-check")

    assert (run.code, run.out.splitlines()[-1].endswith("(as --verify none asks)")) == (0, True)


def test_readback(put: Put, imgtool: Command) -> None:
    put("v05.bin", "init-data/v05.bin")
    run = imgtool(
        "flash", hex(INIT), "v05.bin", "-p", PORT, *ROM, "--verify", "readback", "--no-boot-check", "--json"
    )

    assert result(run.out)["verified"] == "readback"


def test_json(pair: Path, imgtool: Command) -> None:
    assert pair.is_dir()
    run = imgtool("flash", "-p", PORT, *ROM, "--json")

    assert (run.code, run.err) == (0, "")
    fields = result(run.out)
    assert fields["chip"]["mac"] == "18:fe:34:a1:b2:c3"
    assert fields["flash"]["bytes"] == SIZE
    assert [fields[name] for name in ("port", "stub", "baud", "verified")] == [PORT, "rom", 921600, "no"]
    assert (fields["written"] + fields["erased"], fields["unchanged"]) == (167936, 0)
    assert fields["boot"]["verdict"] == "runs"
    assert [write["address"] for write in fields["plan"]["writes"]] == [0, 0x10000, 0x7B000, INIT]
    assert [kept["address"] for kept in fields["plan"]["kept"]] == [0x2E000, 0x7D000]
    assert len(fields["sha256"]) == 64


def test_dry_run_in_json(small: Path, imgtool: Command) -> None:
    assert small.is_dir()
    fields = result(imgtool("flash", "-p", PORT, *ROM, "--json", "--dry-run").out)

    assert (fields["plan"]["flash_size"], fields["written"], fields["boot"]) == ("512KB", None, None)


@pytest.mark.parametrize("size", [["--flash-size", "4MB"], ["-fs", "32m"]], ids=" ".join)
def test_plan_without_a_port(small: Path, imgtool: Command, size: list[str]) -> None:
    assert small.is_dir()
    run = imgtool("flash", "--dry-run", *size)
    fields = result(imgtool("flash", "--dry-run", *size, "--json").out)

    assert (run.code, "no device was looked at" in run.out) == (0, True)
    assert (fields["port"], fields["plan"]["header"]["size"]) == (None, "4MB")
    with_port = result(imgtool("flash", "-p", PORT, *ROM, "--json", "--dry-run").out)
    assert (fields.keys(), fields["plan"].keys()) == (with_port.keys(), with_port["plan"].keys())


def test_plan_without_a_port_and_a_size(
    small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small.is_dir()
    monkeypatch.setattr(port_list, "list_ports", lambda *_: ())
    run = imgtool("flash", "--dry-run")

    assert (run.code, "--flash-size SIZE plans without a board" in " ".join(run.err.split())) == (5, True)


def test_capacity_is_what_sfdp_says(small: Path, imgtool: Command) -> None:
    (small / "f.bin").write_bytes(b"\x55" * SIZE)
    run = imgtool("flash", "-p", f"{PORT},fault=id=ef4018", *ROM, "--json")

    assert result(run.out)["plan"]["flash_size"] == "512KB"
    assert held(small)[0x10000 : INIT - 0x1000] == b"\x55" * (INIT - 0x11000)


@needs_stub
def test_flash_that_is_smaller_than_it_says(put: Put, imgtool: Command) -> None:
    put("low.bin", b"\xaa" * 0x1000)
    put("high.bin", b"\x55" * 0x1000)
    arguments = ("0x7f000", "low.bin", "0x17f000", "high.bin", "--init-data", "none")
    run = imgtool("flash", *arguments, "-p", "sim:1MB,part=EN25Q80,fault=id=ef4015")

    assert (run.code, "reads back differently" in run.err) == (7, True), run.err


def test_megabits_are_told_in_json(small: Path, imgtool: Command) -> None:
    assert small.is_dir()
    run = imgtool("flash", "-fs", "4m", "-p", PORT, *ROM, "--json")

    assert "4m" in json.loads(run.out)["warnings"][0]


def test_protection_is_a_check_by_name(small: Path, imgtool: Command) -> None:
    assert small.is_dir()
    run = imgtool("flash", "-p", "sim:512KB,fault=protect", *ROM, "--json")

    assert json.loads(run.err)["error"]["check"] == "protection"


def test_low_speed_is_not_exceeded(small: Path, imgtool: Command) -> None:
    assert small.is_dir()
    fields = result(imgtool("flash", "-p", PORT, "-b", "9600", *ROM, "--json").out)

    assert (fields["baud"], fields["retries"]) == (9600, 0)


@needs_stub
@pytest.mark.long
def test_low_speed_with_a_stub(small: Path, imgtool: Command) -> None:
    assert small.is_dir()
    fields = result(imgtool("flash", "-p", PORT, "-b", "9600", "--stub", "espressif", "--json").out)

    assert (fields["baud"], fields["retries"], fields["stub"]) == (9600, 0, "espressif v2")


def test_own_stub(small: Path, imgtool: Command) -> None:
    run = imgtool("flash", "-p", PORT, "--stub", "imgtool", "--no-boot-check")

    assert run.code == 0
    assert "  stub    imgtool, at 921,600 baud" in run.out.splitlines()
    assert "written and verified: " in run.out
    assert held(small)[4:0x1000] == IMAGES["sample/0x00000.bin"][4:0x1000]


@pytest.mark.parametrize("choice", [pytest.param("imgtool", marks=pytest.mark.long), "auto"])
def test_own_stub_in_json(
    small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    assert small.is_dir()
    monkeypatch.setattr("imgtool.device.session.espressif_stubs", tuple)
    run = imgtool("flash", "-p", PORT, "--stub", choice, "--no-boot-check", "--json")

    assert (run.code, run.err) == (0, "")
    fields = result(run.out)
    assert [fields[name] for name in ("stub", "baud", "verified", "retries")] == [
        "imgtool",
        921600,
        "digest",
        0,
    ]


@pytest.mark.parametrize("options", [(), ("--erase-all",), ("-b", "57600")], ids=" ".join)
def test_time_that_is_told(pair: Path, imgtool: Command, options: tuple[str, ...]) -> None:
    (pair / "f.bin").write_bytes(b"\x55" * SIZE)
    fields = result(imgtool("flash", "-p", PORT, *ROM, *options, "--no-boot-check", "--json").out)

    assert fields["plan"]["seconds"] == pytest.approx(fields["seconds"], rel=0.5)


def test_of_an_erase_of_the_whole_flash_no_one_time_is_told(pair: Path, imgtool: Command) -> None:
    assert pair.is_dir()
    run = imgtool("flash", "-p", PORT, *ROM, "--erase-all", "--dry-run")

    words = " ".join(run.out.split())
    assert re.search(r"time about [\d:.]+ (s|min), but erasing the whole flash alone takes 2 s to", words)


def test_events(small: Path, imgtool: Command) -> None:
    assert small.is_dir()
    run = imgtool("flash", "-p", PORT, *ROM, "--events", "--no-boot-check")

    events = [json.loads(line) for line in run.err.splitlines()]
    stages = list(dict.fromkeys(event["event"] for event in events))
    assert stages == ["connect", "read", "write", "end"]
    assert all(event["port"] == PORT for event in events)
    written = [event for event in events if event["event"] == "write"]
    assert [event["done"] for event in written] == sorted(event["done"] for event in written)
    assert written[-1]["done"] == written[-1]["total"]


# The firmware.


def test_firmware_that_does_not_start(put: Put, imgtool: Command, folder: Path) -> None:
    put("bad.bin", "broken/bad-checksum.bin")
    run = imgtool("flash", "bad.bin", "-p", PORT, *ROM, "--force", "damaged", "--log", "log.jsonl")

    assert (run.code, "boot: " in run.out) == (1, True)
    row = json.loads((folder / "log.jsonl").read_text(encoding="utf-8"))
    assert row["result"] == "does not start: bad-image"


def test_port_that_cannot_reset(small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_lines(name: str) -> Wire:
        wire = open_sim(PORT)
        wire.name = name
        wire.traits = WireTraits(baud=False, lines=Lines.NONE, highest_baud=115200)
        return wire

    assert small.is_dir()
    monkeypatch.setattr(ports, "open_serial", without_lines)
    run = imgtool("flash", "-p", "socket://board:1", *ROM)

    assert (run.code, run.out.splitlines()[-1]) == (
        0,
        "  note  reset the board to start the firmware: its port cannot do it",
    )


def test_part_of_a_flash_says_nothing_about_a_boot(put: Put, imgtool: Command) -> None:
    put("v05.bin", "init-data/v05.bin")

    assert imgtool("flash", hex(INIT), "v05.bin", "-p", PORT, *ROM).code == 0


# Many boards.


def test_boards_side_by_side(pair: Path, imgtool: Command) -> None:
    lost = "sim:1MB,fault=gone=in:3000:1000s"
    run = imgtool("flash", "-p", PORT, "-p", lost, "-p", "sim:2MB", *ROM, "--log", "log.csv")

    assert run.code == 5
    assert held(pair)[:0x1000] == with_size(IMAGES["sample/0x00000.bin"], 0)[:0x1000]
    rows = [line.split() for line in run.out.splitlines() if "18:fe:34" in line]
    assert [row[-1] for row in rows] == ["verified", "failed", "verified"]
    assert run.out.splitlines()[-1] == "3 boards: 2 good, 1 failed"
    with (pair / "log.csv").open(encoding="utf-8", newline="") as file:
        log = list(csv.DictReader(file))
    assert {row["port"]: row["result"].split(":")[0] for row in log} == {
        PORT: "ok, not verified",
        lost: "the port is lost",
        "sim:2MB": "ok, not verified",
    }
    assert {row["flash_id"] for row in log} <= {"c84013", "c84014", "c84015", ""}


def test_boards_in_json(pair: Path, imgtool: Command) -> None:
    assert pair.is_dir()
    run = imgtool("flash", "-p", PORT, "-p", "sim:1MB,fault=protect", *ROM, "--json")

    document = json.loads(run.out)
    assert (run.code, document["ok"]) == (6, False)
    good, bad = document["results"]
    assert ("error" in good, good["boot"]["ok"]) == (False, True)
    assert (bad["error"]["type"], bad["written"]) == ("ProtectedError", None)


def test_log_is_added_to(put: Put, imgtool: Command, folder: Path) -> None:
    put("v05.bin", "init-data/v05.bin")
    for _ in range(2):
        imgtool("flash", hex(INIT), "v05.bin", "-p", PORT, *ROM, "--no-boot-check", "--log", "log.csv")

    lines = (folder / "log.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "time,port,mac,flash_id,sha256,stub,verified,result"
    assert [line.count("ok, not verified") for line in lines] == [0, 1, 1]


def test_all_ports(small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.is_dir()
    there = [
        PortInfo(
            path=path,
            adapter="CH340",
            driver=None,
            vid=1,
            pid=2,
            serial_number=None,
            product=None,
            likely=likely,
        )
        for path, likely in ((PORT, True), ("sim:1MB", True), ("/dev/ttyS0", False))
    ]
    monkeypatch.setattr(port_list, "list_ports", lambda: tuple(there))
    run = imgtool("flash", "--all-ports", *ROM, "--dry-run")

    assert (run.code, run.out.splitlines()[-1]) == (0, "2 boards: 2 good, 0 failed")


# Broken off.


def raising(error: BaseException) -> Callable[..., Any]:
    def transfer(session: Session, job: Job, on_event: Callable[[Event], None]) -> None:  # noqa: ARG001
        on_event(Event("write", 4096, 8192))
        raise error

    return transfer


def test_interrupted(small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.is_dir()
    monkeypatch.setattr(transfers, "transfer", raising(KeyboardInterrupt()))
    run = imgtool("flash", "-p", PORT, *ROM)

    assert run.code == 130
    assert run.err.splitlines()[-2:] == [
        "error: interrupted: the flash is incomplete",
        "hint:  the same command again repairs it",
    ]


def test_interrupted_before_anything_was_written(
    small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    assert small.is_dir()
    monkeypatch.setattr(transfers, "estimate", lambda *_, **__: stop())
    run = imgtool("flash", "-p", PORT, *ROM)

    assert (run.code, "error: interrupted: nothing was written" in run.err) == (130, True)


def test_several_interrupted(small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.is_dir()
    monkeypatch.setattr(transfers, "transfer", raising(KeyboardInterrupt()))
    run = imgtool("flash", "-p", PORT, "-p", "sim:1MB", *ROM)

    assert (run.code, run.out.splitlines()[-1]) == (130, "2 boards: 0 good, 2 failed")


def test_unplugged_and_back(small: Path, imgtool: Command) -> None:
    run = imgtool("flash", "-p", f"{PORT},fault=gone=in:20000:2s", *ROM, "--no-boot-check")

    assert (run.code, "trying again: " in run.err) == (0, True)
    assert held(small)[:0x1000] == with_size(IMAGES["sample/0x00000.bin"], 0)[:0x1000]


def test_unplugged_for_good_and_repaired(pair: Path, imgtool: Command) -> None:
    run = imgtool("flash", "-p", f"{PORT},fault=gone=in:50000:1000s", *ROM)
    again = imgtool("flash", "-p", PORT, *ROM)

    words = " ".join(run.err.split())
    assert (run.code, "the port is lost" in words) == (5, True)
    assert "the flash is incomplete; the same command again repairs it; plug it in again" in words
    assert (again.code, held(pair)[0x10000:0x20000]) == (0, IMAGES["sample/0x10000.bin"][:0x10000])


@pytest.mark.parametrize("form", [(), ("--json",)], ids=" ".join)
def test_flash_that_does_not_hold_what_was_written(put: Put, imgtool: Command, form: tuple[str, ...]) -> None:
    put("v05.bin", "init-data/v05.bin")
    port = "sim:512KB,fault=worn=0x7c000.0"
    run = imgtool("flash", hex(INIT), "v05.bin", "-p", port, *ROM, "--verify", "readback", *form)

    assert run.code == 7
    if form:
        error = json.loads(run.err)["error"]
        assert (error["type"], error["offset"], error["sectors"]) == ("VerifyError", INIT, [INIT])
    else:
        assert "sectors at 0x07c000" in run.err


# What a user can do wrong.


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-p", "sim:9MB"], 2, "not understood in the name of a virtual chip"),
        (["-p", "sim:4MB,part=nosuch"], 2, "no such flash part"),
        (["-p", "sim:4MB,flash=no/f.bin"], 5, "the flash file cannot be opened"),
        (["-p", ""], 2, "the name of the port is empty"),
        (["-p", PORT, "-p", PORT], 2, "a port is given twice"),
        (["-p", PORT, "--all-ports"], 2, "--port and --all-ports are both given"),
        (["-p", PORT, "--stub", "mine"], 2, "not a flasher stub"),
        (["-p", PORT, "--stub", "espressif", "--no-stub"], 2, "two flasher stubs"),
        (["-p", PORT, "--baud", "0"], 2, "not a speed"),
        (["-p", PORT, "--baud", "fast"], 2, "not a valid int"),
        (["-p", PORT, "--reset", "D0|X"], 2, "no step of a reset sequence"),
        (["-p", PORT, "--verify", "md5"], 2, "not a way to verify"),
        (["-p", PORT, "--force", "all"], 2, "there is no such check"),
        (["-p", PORT, "--log", "log.txt"], 2, "ends in .csv or .jsonl"),
        (["-p", PORT, "--log", "no/log.csv"], 2, "cannot be written"),
        (["-p", PORT, "--flash-size", "5MB"], 2, "expected detect, keep, 256KB"),
        (["-p", PORT, "--flash-size", "1MB", "-fs", "8m"], 2, "two flash sizes"),
        (["-p", PORT, "--set", "no_such=1"], 2, "no_such"),
        (
            ["-p", "sim:512KB,boot=run", "--reset", "none", "-b", "300"],
            6,
            "asked at 300 baud: try it without --baud; in this order: 1. hold GPIO0",
        ),
        (["-p", "sim:512KB,boot=run", "--reset", "none"], 6, "the chip does not answer"),
        (["-p", "sim:512KB,fault=protect"], 6, "--force protection"),
        (["-p", "sim:512KB,fault=id=ffffff"], 6, "the chip answers, its flash does not"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors(small: Path, imgtool: Command, arguments: list[str], code: int, words: str) -> None:
    assert small.is_dir()
    run = imgtool("flash", *ROM[: 2 if "--stub" not in arguments else 0], *arguments)

    assert (run.code, words in " ".join(run.err.split())) == (code, True), run.err


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [
        ("dumps/rboot-1m.bin", 4, "524,288 bytes too many"),
        ("esp32/flash.bin", 3, "flash contents of the ESP32"),
        ("broken/bad-checksum.bin", 3, "load the file again; --force damaged of imgtool flash"),
        ("text/page.bin", 3, "this is a web page, not firmware"),
        ("sample/0x10000.bin", 4, "(expected 0x10000, found 0x00000) hint: imgtool flash ADDR FILE"),
        ("lfs/lfs-5.1.img", 4, "by name @lfs, found 0x00000) hint: --force place writes all the same"),
    ],
)
def test_images_that_are_refused(put: Put, imgtool: Command, image: str, code: int, words: str) -> None:
    put("image.bin", image)
    run = imgtool("flash", "image.bin", "-p", "sim:512KB", *ROM)

    assert (run.code, words in " ".join(run.err.split())) == (code, True), run.err


def test_no_port(small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.is_dir()
    monkeypatch.setattr(port_list, "list_ports", lambda *_: ())
    run = imgtool("flash")

    assert (run.code, "no known USB serial adapter is there" in run.err) == (5, True)


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (
            ForbiddenPortError(
                "it is so", source="/dev/ttyUSB0", group="dialout", member=False, in_session=False
            ),
            "usermod -aG dialout",
        ),
        (
            BusyPortError("it is so", source="/dev/ttyUSB0", program="picocom", pid=812),
            "end picocom (pid 812)",
        ),
    ],
    ids=["permission", "busy"],
)
def test_port_that_cannot_be_opened(
    small: Path,
    imgtool: Command,
    monkeypatch: pytest.MonkeyPatch,
    error: UnusablePortError,
    cure: str,
) -> None:
    def refuse(_: str) -> None:
        raise error

    assert small.is_dir()
    monkeypatch.setattr(ports, "open_serial", refuse)
    run = imgtool("flash", "-p", "/dev/ttyUSB0")

    assert (run.code, "error: /dev/ttyUSB0: it is so" in run.err, cure in run.err) == (5, True, True)


def test_a_board_that_its_port_cannot_reset_is_told_with_the_cure(
    put: Put, imgtool: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("f.bin", "dumps/nodemcu-2.2-4m.bin")

    def open_apart(_: str) -> Wire:
        wire = Apart(open_sim("sim:4MB,flash=f.bin,boot=run"), gap=0.02, each=True)
        wire.name = "COM3"
        return wire

    monkeypatch.setattr(ports, "open_serial", open_apart)
    run = imgtool("id", "-p", "COM3", "--json")
    error = json.loads(run.err)["error"]

    assert (run.code, run.out, error["type"], error["lines"]) == (6, "", "ChipError", "apart")
    assert error["message"].startswith(
        "COM3: the chip does not answer; its port changes DTR and RTS one after the other"
    )
    assert "hold GPIO0 low (button FLASH) while you reset the board" in error["hint"]
    assert "a capacitor of 1 to 10 uF from EN to GND" in error["hint"]


def test_errors_in_json(small: Path, imgtool: Command) -> None:
    assert small.is_dir()
    run = imgtool("flash", "-p", "sim:512KB,fault=protect", *ROM, "--json")

    assert (run.code, run.out, json.loads(run.err)["error"]["type"]) == (6, "", "ProtectedError")


def test_every_check_can_be_waived() -> None:
    assert {*waivers.CHECKS, waivers.PROTECTION} == set(flash_job.CHECKS)


# Where the port comes from.


@pytest.mark.parametrize("name", ["IMGTOOL_PORT", "ESPTOOL_PORT"])
def test_port_of_the_environment(
    small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert small.is_dir()
    monkeypatch.setenv("ESPTOOL_PORT", "sim:9MB")
    monkeypatch.setenv(name, PORT)

    assert result(imgtool("flash", *ROM, "--dry-run", "--json").out)["port"] == PORT


def test_speed_of_the_environment(small: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.is_dir()
    monkeypatch.setenv("IMGTOOL_BAUD", "230400")
    assert result(imgtool("flash", "-p", PORT, *ROM, "--dry-run", "--json").out)["baud"] == 230400

    monkeypatch.setenv("IMGTOOL_BAUD", "fast")
    run = imgtool("flash", "-p", PORT)
    assert (run.code, "not a speed in IMGTOOL_BAUD" in run.err) == (2, True)
