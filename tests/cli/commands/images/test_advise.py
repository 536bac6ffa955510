"""``imgtool advise`` on files and virtual boards: words, exit codes, JSON, and commands that can be run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from fixtures.upgrades import KB, MB, before_3, from_3, spiffs, used, used_3
from imgtool.cli.app import build_app
from tests.support import IMAGES, Command, Put

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = 512 * KB
ROM = ("--stub", "none")


@pytest.fixture(autouse=True)
def files(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IMGTOOL_PORT", "ESPTOOL_PORT", "IMGTOOL_BAUD", "ESPTOOL_BAUD"):
        monkeypatch.delenv(name, raising=False)
    put("dump.bin", used(before_3("2.2.1"), {0x30000: spiffs(16)}, MB))
    put("used.bin", used_3(from_3(), {0x20000: spiffs(16)}, MB))
    put("old.bin", before_3("2.2.1"))
    put("three.bin", from_3())
    image = before_3("2.0.0")
    put("pair/0x00000.bin", image[:0x10000].rstrip(b"\xff"))
    put("pair/0x10000.bin", image[0x10000:])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["dump.bin", "old.bin"], 0, "Nothing changes"),
        (["used.bin", "three.bin"], 0, "Nothing changes"),
        (["dump.bin", "three.bin"], 1, "The file system is formatted"),
        (["dump.bin", "pair"], 1, "The file system is formatted"),
        (["dump.bin", "pair/0x00000.bin", "pair/0x10000.bin"], 1, "The file system is formatted"),
        (["dump.bin", "0", "old.bin"], 0, "Nothing changes"),
        (["pair", "old.bin", "--flash-size", "4MB"], 1, "The file system is formatted"),
        (["old.bin", "old.bin", "--flash-size", "1MB"], 0, "Nothing changes"),
        (["old.bin", "three.bin", "--flash-size", "512KB"], 1, "It is not for this flash"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_old_and_new(imgtool: Command, words: list[str], code: int, sentence: str) -> None:
    run = imgtool("advise", *words)

    assert (run.code, run.out.startswith(sentence), run.err) == (code, True, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "OLD and NEW are both needed"),
        (["dump.bin"], "OLD and NEW are both needed"),
        (["old.bin", "three.bin"], "does not tell how large"),
        (["missing.bin", "old.bin"], "missing.bin"),
        (["sim:4MB", "old.bin"], "OLD is no file"),
        (["dump.bin", "missing.bin"], "missing.bin"),
        (["pair/0x10000.bin", "old.bin"], "does not begin at flash address 0"),
        (["-p", "sim:1MB", "old.bin", "--flash-size", "1MB"], "a board tells its size itself"),
        (["dump.bin", "old.bin", "--flash-size", "3MB"], "not a flash size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_make_no_sense(imgtool: Command, words: list[str], said: str) -> None:
    run = imgtool("advise", *words)

    assert (run.code, said in " ".join(run.err.split())) == (2, True), run.err


def test_old_longer_than_the_flash(imgtool: Command) -> None:
    run = imgtool("advise", "dump.bin", "old.bin", "--flash-size", "512KB")

    assert (run.code, "longer than the flash" in run.err) == (4, True)


def test_a_web_page_is_no_old(imgtool: Command, put: Put) -> None:
    put("page.html", b"<html><body>404</body></html>")
    run = imgtool("advise", "page.html", "old.bin", "--flash-size", "1MB")

    assert (run.code, run.err.startswith("error: page.html: OLD is neither a dump nor an image")) == (3, True)


@pytest.mark.parametrize("words", [("--stub", "none"), ("--baud", "9600"), ("--reset", "none")])
def test_what_is_for_a_board_needs_one(imgtool: Command, words: tuple[str, str]) -> None:
    run = imgtool("advise", "old.bin", "new.bin", *words)

    assert (run.code, run.err.startswith(f"error: {words[0]} is for a board")) == (2, True)


def test_a_few_words_are_no_old_that_wants_a_size(imgtool: Command, put: Put) -> None:
    put("words.txt", b"hi\n")
    run = imgtool("advise", "words.txt", "old.bin")

    assert (run.code, run.err.startswith("error: words.txt: OLD is neither a dump nor an image")) == (3, True)


def test_what_flash_refuses_by_name_is_inspected(imgtool: Command, put: Put) -> None:
    put("files.img", b"hello")
    cures = result(imgtool("advise", "dump.bin", "@lfs", "files.img", "--json").out)["cures"]

    assert cures[-1]["commands"] == ["imgtool inspect files.img"]


def result(out: str) -> dict[str, Any]:
    document = json.loads(out)
    assert (document["schema"], document["command"], len(document["results"])) == (1, "advise", 1)
    fields: dict[str, Any] = document["results"][0]
    return {"document": document, **fields}


def test_json(imgtool: Command) -> None:
    run = imgtool("advise", "dump.bin", "three.bin", "--json")
    found = result(run.out)

    assert (run.code, found["document"]["ok"]) == (1, False)
    assert [found["old"]["firmware"]["version"], found["new"]["firmware"]["version"]] == ["2.2.1", "3.0.0.0"]
    assert found["flash"] == {"bytes": MB, "size": "1MB"}
    assert found["points"][0]["topic"] == "files"
    assert {tuple(point) for point in found["points"]} == {("topic", "verdict", "ok", "reason", "source")}
    assert found["cures"][0]["commands"] == ["imgtool read -o backup.bin"]
    assert found["document"]["warnings"] == found["notes"]


CASES: list[tuple[str, Callable[[], bytes], Callable[[], bytes]]] = [
    ("formatted", lambda: used(before_3("2.2.1"), {0x30000: spiffs(16)}, 2 * MB), from_3),
    ("from 3", lambda: used_3(from_3(), {0x20000: spiffs(16)}, MB), lambda: before_3("2.2.1")),
    ("larger", lambda: used_3(from_3(), {0x20000: spiffs(16)}, MB), lambda: from_3(0x24000)),
    ("refused", lambda: used(before_3("2.2.1"), {}, SMALL), from_3),
    ("same", lambda: used_3(from_3(), {0x20000: spiffs(16)}, MB), from_3),
    ("Arduino", lambda: IMAGES["dumps/arduino-4m.bin"], lambda: before_3("2.2.1")),
]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_commands_can_be_run(
    imgtool: Command, put: Put, old: Callable[[], bytes], new: Callable[[], bytes]
) -> None:
    put("backup.bin", old())
    put("new file.bin", new())
    found = result(imgtool("advise", "backup.bin", "new file.bin", "--json").out)
    commands = [command for cure in found["cures"] for command in cure["commands"]]

    assert commands
    for command in commands:
        words = shlex.split(command)
        assert words.pop(0) == "imgtool"
        parse(words)
        if words[0] == "read":
            continue  # that needs the board
        offline = ["--dry-run", "--flash-size", "4MB"] if words[0] == "flash" else []
        run = imgtool(*words, *offline)
        assert run.code == 0, (command, run.err)


def parse(words: list[str]) -> None:
    """Parse a command line without running it; an unknown option raises."""
    group: Any = typer.main.get_command(build_app(words))
    group.commands[words[0]].make_context(words[0], words[1:])


def test_an_empty_board(imgtool: Command, put: Put) -> None:
    put("board.bin", b"\xff" * SMALL)
    found = result(imgtool("advise", "-p", "sim:512KB,flash=board.bin", "old.bin", *ROM, "--json").out)

    assert (found["old"]["kind"], found["flash"]["bytes"], found["document"]["ok"]) == ("device", SMALL, True)
    assert found["cures"][0]["commands"] == ["imgtool flash -p sim:512KB,flash=board.bin old.bin"]


@pytest.mark.long
def test_a_board(imgtool: Command, put: Put, folder: Path) -> None:
    put("old.bin", before_3("2.2.1", 0x2000))
    put("board.bin", used(before_3("2.2.1", 0x2000), {0x12000: spiffs(8)}, SMALL))
    before = (folder / "board.bin").read_bytes()
    run = imgtool("advise", "-p", "sim:512KB,flash=board.bin", "old.bin", *ROM, "--json")
    found = result(run.out)

    assert (run.code, found["old"]["kind"], found["flash"]["bytes"]) == (0, "device", SMALL)
    assert found["cures"][0]["commands"] == ["imgtool flash -p sim:512KB,flash=board.bin old.bin"]
    assert (folder / "board.bin").read_bytes() == before


def test_flash_says_it_in_short(imgtool: Command, put: Put) -> None:
    put("board.bin", used_3(from_3(), {0x20000: spiffs(16)}, MB))
    run = imgtool("flash", "-p", "sim:1MB,flash=board.bin", "old.bin", *ROM, "--dry-run", "--json")
    findings = {f["code"]: f["severity"] for f in json.loads(run.out)["results"][0]["plan"]["findings"]}

    assert {code: findings.get(code) for code in ("settings-lost", "files-kept")} == {
        "settings-lost": "warning",
        "files-kept": None,
    }
