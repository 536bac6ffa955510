from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imgtool.cli.input import files as cli_files
from imgtool.operations.inspect import describe
from tests.support import Command, Put

Script = Callable[..., subprocess.CompletedProcess[bytes]]

FAILURES = {
    "no file": (["inspect", "missing.bin"], 2, "UsageError"),
    "no output": (["merge", "0x00000.bin"], 2, "UsageError"),
    "no such option": (["inspect", "--nonsense", "0x00000.bin"], 2, "UsageError"),
    "no such command": (["nonsense"], 2, "UsageError"),
    "no size": (["fullimage", "0x00000.bin"], 2, "UsageError"),
    "no file to inspect": (["inspect"], 2, "UsageError"),
    "no argument file": (["inspect", "@missing.txt"], 2, "UsageError"),
    "two at 0": (["merge", "damaged.bin", "other.bin", "-o", "x"], 2, "UsageError"),
    "damaged": (["merge", "damaged.bin", "-o", "x"], 3, "FormatError"),
    "not to be split": (["split", "0x00000.bin"], 3, "FormatError"),
    "too small": (["fullimage", "--size", "256KB", "."], 4, "LayoutError"),
    "overlap": (["merge", "0x00000.bin", "0x8000", "0x10000.bin", "-o", "x"], 4, "LayoutError"),
}


@pytest.fixture
def files(pair: Path, put: Put) -> Path:
    put("damaged.bin", "broken/bad-checksum.bin")
    put("other.bin", "sample/0x00000.bin")
    return pair


def crash(error: BaseException) -> Callable[[bytes], Any]:
    def fail(_: bytes) -> Any:  # noqa: ANN401 - it never returns
        raise error

    return fail


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("arguments", "code", "kind"), FAILURES.values(), ids=FAILURES)
def test_exit_code_and_nothing_on_stdout(
    imgtool: Command, arguments: list[str], code: int, kind: str
) -> None:
    run = imgtool(*arguments)

    assert (run.code, run.out, run.err != "") == (code, "", True), kind


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("arguments", "code", "kind"), FAILURES.values(), ids=FAILURES)
def test_under_json_it_is_one_object_on_stderr(
    imgtool: Command, arguments: list[str], code: int, kind: str
) -> None:
    run = imgtool(*arguments, "--json")

    document = json.loads(run.err)
    assert (run.code, run.out, document["schema"], document["error"]["type"]) == (code, "", 1, kind)
    assert {"type", "message", "hint"} - set(document["error"]) == set()


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("arguments", [row[0] for row in FAILURES.values()], ids=FAILURES)
def test_nothing_is_written(files: Path, imgtool: Command, arguments: list[str]) -> None:
    before = sorted(files.iterdir())
    imgtool(*arguments)

    assert sorted(files.iterdir()) == before


def test_data_of_an_error_is_in_the_json(files: Path, imgtool: Command) -> None:
    run = imgtool("merge", files / "damaged.bin", "-o", "x", "--json")

    error = json.loads(run.err)["error"]
    assert (error["source"], error["offset"], error["expected"], error["found"]) == (
        str(files / "damaged.bin"),
        34095,
        0xFE,
        0xA4,
    )


def test_json_from_an_argument_file_counts_too(files: Path, put: Put, imgtool: Command) -> None:
    put("args.txt", b"--json")
    run = imgtool("inspect", files / "missing.bin", "@args.txt")

    assert json.loads(run.err)["error"]["type"] == "UsageError"


def test_a_bug_is_70(files: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe, "describe", crash(RuntimeError("boom")))
    run = imgtool("inspect", files / "other.bin")

    assert (run.code, run.out, run.err.splitlines()[-1]) == (
        70,
        "",
        "imgtool: this is a bug in imgtool, please report it with the lines above",
    )


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_interrupted_is_130(
    files: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr(describe, "describe", crash(KeyboardInterrupt()))
    run = imgtool("inspect", files / "other.bin", *options)

    assert (run.code, run.out, "Traceback" in run.err) == (130, "", False)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["inspect", "-h"], ["--version"]], ids=" ".join)
def test_help_and_version_are_no_errors(imgtool: Command, arguments: list[str]) -> None:
    run = imgtool(*arguments)

    assert (run.code, run.err, run.out != "") == (0, "", True)


def test_without_arguments_it_shows_the_help(imgtool: Command) -> None:
    run = imgtool()

    assert (run.code, "inspect" in run.out + run.err) == (2, True)


@pytest.mark.parametrize(
    "name", [b"bad\xff.bin", "na\u00efve\u2192.bin".encode(), b"[red]:x:.bin", b"a b.bin"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_any_file_name_on_any_terminal(folder: Path, script: Script, name: bytes, encoding: str) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"\xff" * 4096)
    done = script("inspect", name, environment={"PYTHONIOENCODING": encoding})

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_the_map_on_any_terminal(pair: Path, script: Script, encoding: str) -> None:
    done = script("fullimage", "--size", "1MB", "--dry-run", pair, environment={"PYTHONIOENCODING": encoding})

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.usefixtures("files")
def test_error_about_any_file_name(script: Script) -> None:
    done = script("inspect", b"missing\xff\xe2\x86\x92.bin", environment={"PYTHONIOENCODING": "ascii"})

    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)


def test_a_full_disk_behind_stdout_is_no_bug(files: Path, script: Script) -> None:
    with Path("/dev/full").open("wb") as full:
        done = script("inspect", files / "other.bin", stdout=full.fileno())

    assert (done.returncode != 0, b"Traceback" in done.stderr) == (True, False)


def test_a_reader_that_goes_away(files: Path, script: Script) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = script("inspect", files / "other.bin", stdout=writing)
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_name_that_no_file_can_have(put: Put, imgtool: Command) -> None:
    put("args.txt", b"'a\0b.bin'")
    run = imgtool("inspect", "@args.txt")

    assert (run.code, run.out) == (2, "")


@pytest.mark.parametrize("arguments", [["merge", "x.bin", "-o", "x.bin"], ["split", "x.bin"]], ids=" ".join)
def test_no_advice_of_inspect_for_a_usage_error(folder: Path, imgtool: Command, arguments: list[str]) -> None:
    assert folder.is_dir()
    assert "imgtool inspect" not in imgtool(*arguments).err


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["inspect", "missing.bin"], "look at the spelling"),
        (["explain", "missing.log"], "look at the spelling"),
        (["extract", "."], "name a file in that folder"),
        (["inspect", "@missing.txt"], "look at the spelling"),
        (["inspect", "0x00000.bin", "--html", "."], "name a file, in that folder or elsewhere"),
        (["inspect", "0x00000.bin", "--html", "no/x.html"], "its folder has to be there"),
        (["extract", "0x00000.bin", "-o", "other.bin/x"], "a file stands where a folder should be"),
        (["monitor", "-p", "sim:1MB", "--log", "no/x.log"], "its folder has to be there"),
        (["inspect", "--nonsense"], "imgtool inspect --help shows"),
        (["flash-id", "--nonsense"], "imgtool flash-id --help shows"),
        (["nonsense"], "imgtool COMMAND --help shows"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_hint_goes_with_the_case(imgtool: Command, arguments: list[str], hint: str) -> None:
    run = imgtool(*arguments)

    assert (run.code, f"hint:  {hint}" in run.err) == (2, True), run.err


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_the_hint_for_what_the_system_refuses(
    files: Path, imgtool: Command, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(_beside: Path, _target: Path, _data: bytes) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(cli_files, "_stage", refuse)
    run = imgtool("inspect", files / "other.bin", "--html", "x.html")

    assert (run.code, "choose another" in run.err, "--help" in run.err) == (2, True, False)
