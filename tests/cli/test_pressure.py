"""The command line under pressure: streams that are closed or full, signals, names that no file can have."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imgtool.cli.run.boards import BoardLog, LogRow
from tests.support import PATIENCE, Command, Put

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes, signals and links of POSIX")

WHOLE, DAMAGED, NONE = "sample/0x00000.bin", "broken/bad-checksum.bin", "missing.bin"
CODES = {WHOLE: 0, DAMAGED: 1, NONE: 2}
START = f"{sys.executable} -m imgtool"
LONG = "x" * 300


@pytest.fixture
def files(folder: Path, put: Put) -> Path:
    for name in (WHOLE, DAMAGED):
        put(Path(name).name, name)
    return folder


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a line comes to in a shell that tells the exit code of a pipe's first command."""
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


# Streams.


@pytest.mark.parametrize(
    "streams",
    [
        ">&-",
        "2>&-",
        ">&- 2>&- <&-",
        "2>/dev/full",
        ">/dev/null 2>/dev/full",
        "--json 2>/dev/full",
        "| head -c 0",
    ],
)
@pytest.mark.parametrize("name", CODES)
def test_a_stream_that_is_gone_keeps_the_exit_code(files: Path, streams: str, name: str) -> None:
    done = shell(f"{START} inspect {Path(name).name} {streams}", files)

    assert (done.returncode, "Traceback" in done.stderr) == (CODES[name], False)


@pytest.mark.parametrize(("name", "code"), [(WHOLE, 2), (DAMAGED, 1), (NONE, 2)])
@pytest.mark.parametrize("options", ["", "--json"])
def test_an_answer_that_cannot_be_written_is_no_success(
    files: Path, name: str, code: int, options: str
) -> None:
    done = shell(f"{START} inspect {Path(name).name} {options} >/dev/full", files)

    assert done.returncode == code
    if name != NONE:
        assert "the output cannot be written: No space left on device" in done.stderr
    if options:
        assert json.loads(done.stderr)["error"]["type"] == "UsageError"


def test_a_board_is_written_though_nobody_reads(files: Path) -> None:
    (files / "flash.bin").write_bytes(b"\xff" * 0x40_0000)
    done = shell(f"{START} flash -p sim:4MB,flash=flash.bin --no-boot-check 0x00000.bin | head -c 0", files)

    assert (done.returncode, (files / "flash.bin").read_bytes()[0]) == (0, 0xE9)


def test_a_monitor_ends_when_nobody_reads(files: Path) -> None:
    done = shell(f"{START} monitor -p sim:4MB,boot=run --seconds 60 2>/dev/null | head -n 1", files)

    assert done.returncode == 0


LINES = """
import sys
from imgtool.cli.show.outlets import open_outlets
open_outlets()
sys.stderr.write("now\\n")
sys.stdin.readline()
"""


def test_a_line_on_stderr_comes_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LINES], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "now\n"
        process.communicate("\n", timeout=PATIENCE)


# Signals.


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_it_starts(folder: Path, times: int) -> None:
    # The first line that -X importtime writes of imgtool's own modules says that its start has begun.
    # A run of tests in the background may have SIGINT ignored, and that is inherited.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "imgtool", "monitor", "-p", "sim:4MB"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, ours)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.endswith("imgtool.cli.run.signals\n"):
                break
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        rest = process.stderr.read()
        process.wait(PATIENCE)

    assert (process.returncode, "Traceback" in rest, "Exception ignored" in rest) == (130, False, False)


WRITES = """
import os, signal, sys
fsync = os.fsync
def stopped(handle):
    print("beside", flush=True)
    sys.stdin.readline()
os.fsync = stopped
from imgtool.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name
)
def test_a_signal_leaves_no_file_beside_the_output(files: Path, number: signal.Signals) -> None:
    before = sorted(files.iterdir())
    # nohup, under which a long run of tests may go on, has SIGHUP ignored, and that is inherited.
    ours = signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITES, "patch", "0x00000.bin", "--mode", "dio", "-o", "new.bin"],
            cwd=files,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(number, ours)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "beside\n"
        assert len(list(files.glob(".imgtool-*"))) == 1
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert (sorted(files.iterdir()), "Traceback" in said) == (before, False)


# Names.


@pytest.mark.parametrize("name", [LONG, "/".join(["y" * 200] * 30), "loop", "loop/x", "0x00000.bin/x"])
@pytest.mark.parametrize(
    "command",
    [
        "inspect {}",
        "split {}",
        "merge 0x00000.bin -o {}",
        "patch 0x00000.bin --mode dio -o {}",
        "inspect 0x00000.bin --html {}",
        "read -p sim:4MB -o {}",
        "inspect @{}",
        "explain {}",
        "flash {}",
        "advise {0} {0}",
        "prove -p sim:4MB -o {}",
        "read -p sim:4MB --rom -o {}",
    ],
)
def test_a_name_that_leads_to_no_file_is_an_input_error(
    files: Path, imgtool: Command, command: str, name: str
) -> None:
    (files / "loop").symlink_to("loop")
    before = sorted(files.iterdir())
    run = imgtool(*command.format(name).split(), "--json")

    assert (run.code, run.out, json.loads(run.err)["error"]["type"]) == (2, "", "UsageError")
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    "words", ["id -p sim:4MB,flash={}", "id -p sim:4MB,run,rom={}", "simulate --flash {}"]
)
def test_a_name_that_is_too_long_is_no_trouble_of_a_port(imgtool: Command, words: str) -> None:
    run = imgtool(*words.format(LONG).split(), "--json")

    assert (run.code, json.loads(run.err)["error"]["type"]) == (2, "UsageError")


def test_a_file_without_an_end(imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgtool.cli.input.files._MOST", 1 << 20)
    run = imgtool("inspect", "/dev/zero")

    assert (run.code, "too large for a file of firmware" in run.err) == (2, True)


def test_split_writes_through_no_link(pair: Path, imgtool: Command) -> None:
    imgtool("merge", pair, "-o", "whole.bin")
    (pair / "out").mkdir()
    (pair / "kept.txt").write_text("kept")
    (pair / "out" / "0x00000.bin").symlink_to("../kept.txt")
    run = imgtool("split", "whole.bin", "-o", "out")

    assert (pair / "kept.txt").read_text() == "kept"
    assert (run.code, (pair / "out" / "0x00000.bin").is_symlink()) == (0, False)


def test_extract_writes_through_no_link(pair: Path, imgtool: Command) -> None:
    imgtool("merge", pair, "-o", "whole.bin")
    imgtool("extract", "whole.bin", "-o", "out")
    some = next(path for path in (pair / "out").iterdir() if path.suffix == ".bin")
    some.rename(pair / "out" / "kept")
    some.symlink_to("kept")
    run = imgtool("extract", "whole.bin", "-o", "out")

    assert (run.code, "is a link" in run.err) == (2, True)


# The log.


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_a_cell_of_the_log_is_text_in_a_spreadsheet(tmp_path: Path, text: str) -> None:
    row = LogRow("2026-01-01T00:00:00+00:00", text, "mac", "id", "sha", "stub", "no", text)
    for name in ("log.csv", "log.jsonl"):
        BoardLog(tmp_path / name).add(row)
    with (tmp_path / "log.csv").open(encoding="utf-8", newline="") as file:
        (cells,) = [*csv.reader(file)][1:]

    assert cells[1] == cells[-1] == "'" + text.replace("\t", " ").replace("\r", " ")
    # JSON is for programs.
    assert json.loads((tmp_path / "log.jsonl").read_text(encoding="utf-8"))["port"] == text


# Files before ports.


@pytest.fixture
def wrong(files: Path) -> None:
    """Files that are wrong for any board."""
    damaged = (files / "bad-checksum.bin").read_bytes()
    (files / "noise.bin").write_bytes(bytes(range(256)))
    (files / "empty.bin").write_bytes(b"")
    (files / "two-sectors.bin").write_bytes(b"\xff" * 0x2000)
    (files / "as-long-as-a-flash.bin").write_bytes(damaged.ljust(0x10_0000, b"\xff"))


@pytest.mark.usefixtures("wrong")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["flash", "bad-checksum.bin"], 3),
        (["flash", "missing.bin"], 2),
        (["flash", "0x00000.bin", "0x1000", "0x00000.bin"], 4),
        (["flash", "0x00000.bin", "--init-data", "missing.bin"], 2),
        (["verify", "missing.bin"], 2),
        (["verify", "0x00000.bin", "0x1000", "0x00000.bin"], 4),
        (["advise", "missing.bin"], 2),
        (["flash", "0x00000.bin", "@init-data", "noise.bin"], 3),
        (["flash", "@init-data", "noise.bin"], 3),
        (["flash", "0x00000.bin", "--init-data", "noise.bin"], 3),
        (["flash", "@lfs", "noise.bin"], 3),
        (["flash", "@lfs", "empty.bin"], 3),
        (["flash", "@spiffs", "empty.bin"], 3),
        (["flash", "@rf-cal", "two-sectors.bin"], 4),
        (["flash", "as-long-as-a-flash.bin"], 3),
        (["flash", "0x00000.bin", "0x1000000", "0x00000.bin"], 4),
        (["flash", "0x00000.bin", "--log", "log.txt"], 2),
        (["flash", "0x00000.bin", "--log", "none/log.csv"], 2),
        (["flash", "0x00000.bin", "--log", f"{LONG}.csv"], 2),
        (["verify", "@lfs", "noise.bin"], 3),
        (["read", "-o", "none/flash.bin"], 2),
        (["read", "-o", LONG], 2),
        (["prove", "-o", "none/record.json"], 2),
        (["erase", "nonsense"], 2),
        (["monitor", "--elf", "missing.elf"], 2),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
@pytest.mark.parametrize("port", [[], ["-p", "/dev/none"]], ids=["none", "named"])
def test_a_file_is_judged_before_a_port_is_looked_for(
    imgtool: Command,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    port: list[str],
) -> None:
    monkeypatch.setattr("imgtool.engine.ports.likely_ports", lambda: pytest.fail("looked for a port"))
    monkeypatch.setattr("imgtool.engine.ports.found_port", lambda: pytest.fail("looked for a port"))
    monkeypatch.setattr("imgtool.engine.ports.open_wire", lambda _: pytest.fail("opened a port"))
    run = imgtool(*words, *port)
    as_json = imgtool(*words, *port, *([] if words[0] == "monitor" else ["--json"]))

    assert (run.code, as_json.code) == (code, code)
    assert words[0] == "monitor" or set(json.loads(as_json.err)) == {"schema", "error"}


@pytest.mark.usefixtures("wrong")
@pytest.mark.parametrize(("words", "code"), [(["bad-checksum.bin"], 3), (["@lfs", "noise.bin"], 3)])
def test_advice_for_a_board_judges_the_new_firmware_first(
    imgtool: Command, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    monkeypatch.setattr("imgtool.engine.ports.open_wire", lambda _: pytest.fail("opened a port"))
    run = imgtool("advise", "-p", "/dev/none", *words)

    assert run.code == code


def test_a_whole_flash_is_taken_whatever_it_holds(files: Path, imgtool: Command) -> None:
    # Only the chip tells whether it is as large as that.
    (files / "whole.bin").write_bytes(bytes(range(256)) * 0x1000)
    fits = imgtool("flash", "whole.bin", "-p", "sim:1MB", "--no-boot-check")
    part = imgtool("flash", "whole.bin", "-p", "sim:4MB", "--no-boot-check")

    assert (fits.code, part.code) == (0, 3)
