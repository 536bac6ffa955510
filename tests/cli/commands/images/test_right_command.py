"""Files in the wrong place: the command that the hint gives is the same with right places, and works."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.cli.input.corrected import corrected
from imgtool.errors import Move
from tests.support import IMAGES, Command, Put, aggregate

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_port_set")

INIT: Final = "init data.bin"
V08: Final = IMAGES["init-data/v08.bin"]
LEAD: Final = "this command has each file at its place: imgtool "


@pytest.fixture
def files(folder: Path, put: Put) -> Path:
    put("old.bin", aggregate("sample"))  # NodeMCU 2.2.1
    put("new.bin", aggregate("nodemcu-3.0-2021"))
    put("arduino.bin", "arduino/core-2.3.bin")
    put("mpy.bin", "micropython/micropython.bin")
    put(INIT, V08)
    put("lfs.img", b"\x52" + IMAGES["lfs/lfs-5.1.raw"][1:])  # of a build with integers
    put("files.bin", "spiffs/linear.bin")
    for name in ("0x00000.bin", "0x10000.bin"):
        put(f"a folder/{name}", f"sample/{name}")
    put("a folder/0x7c000.bin", V08)
    return folder


def hint_of(imgtool: Command, words: list[str]) -> tuple[int, str]:
    run = imgtool(*words, "--json")
    return run.code, json.loads(run.err)["error"]["hint"]


PLAN: Final = ("--dry-run", "-fs", "4MB")
MERGE: Final = ("-o", "out.bin")
CURED: Final = {
    "old, merge, 4 MB": (["merge", "old.bin", "0x7c000", INIT, "-fs", "4MB", *MERGE], "0x3fc000"),
    "old, merge, 1 MB": (["merge", "old.bin", f"0x7c000:{INIT}", "-fs", "1MB", *MERGE], "0xfc000"),
    "old, merge, over the firmware": (["merge", "old.bin", "0x2000", INIT, "-fs", "1MB", *MERGE], "0xfc000"),
    "new, merge": (["merge", "new.bin", "0x3fc000", INIT, *MERGE], "@init-data"),
    "old, flash": (["flash", "old.bin", "0x7c000", INIT, *PLAN], "0x3fc000"),
    "new, flash": (["flash", "new.bin", "0x3fc000", INIT, *PLAN], "@init-data"),
    "beyond the flash": (["flash", "old.bin", "0x3fc000", INIT, "--dry-run", "-fs", "1MB"], "0xfc000"),
    "no address": (["flash", "old.bin", INIT, *PLAN], "@init-data"),
    "no address, merge": (["merge", "old.bin", INIT, "-fs", "4MB", *MERGE], "@init-data"),
    "MicroPython": (["flash", "mpy.bin", "0x1000", INIT, *PLAN], "0x3fc000"),
    "full image": (["fullimage", "--size", "2MB", "old.bin", "0x7c000", INIT, *MERGE], "@init-data"),
    "LFS": (["flash", "new.bin", "0x300000", "lfs.img", *PLAN], "@lfs"),
    "files": (["flash", "new.bin", "0x300000", "files.bin", *PLAN], None),
    "files, full image": (
        ["fullimage", "--size", "4MB", "new.bin", "--filesystem", "files.bin@0x300000", *MERGE],
        None,
    ),
}


@pytest.mark.parametrize("case", CURED)
@pytest.mark.usefixtures("files")
def test_the_command_of_the_hint_works(imgtool: Command, case: str) -> None:
    words, place = CURED[case]
    code, hint = hint_of(imgtool, words)
    assert code in (2, 4)
    assert LEAD in hint, hint
    right = shlex.split(hint.partition(LEAD)[2])

    assert place is None or place in right
    assert right[0] == words[0]
    assert {"--dry-run", "-fs", "-o", "--size"} & {*words} <= {*right}
    run = imgtool(*right)
    assert run.code == 0, run.err


@pytest.mark.usefixtures("files")
def test_init_data_goes_into_the_image_at_its_real_place(imgtool: Command, folder: Path) -> None:
    _, hint = hint_of(imgtool, ["merge", "old.bin", "0x7c000", INIT, "-fs", "4MB", *MERGE])
    imgtool(*shlex.split(hint.partition(LEAD)[2]))

    assert (folder / "out.bin").read_bytes()[0x3FC000:] == V08


def test_a_folder_is_named_file_by_file(files: Path, imgtool: Command) -> None:
    _, hint = hint_of(imgtool, ["merge", "a folder", "-fs", "4MB", *MERGE])
    right = shlex.split(hint.partition(LEAD)[2])

    assert right[1:5] == ["a folder/0x00000.bin", "a folder/0x10000.bin", "0x3fc000", "a folder/0x7c000.bin"]
    assert imgtool(*right).code == 0
    assert (files / "out.bin").read_bytes()[0x3FC000:] == V08


def test_board_tells_the_size(files: Path, imgtool: Command) -> None:
    run = imgtool("flash", "old.bin", "0x7c000", INIT, "-p", "sim:2MB", "--stub", "none", "--dry-run")

    assert run.code == 4
    assert "0x1fc000 'init data.bin' -p sim:2MB --stub none --dry-run" in " ".join(run.err.split())
    assert files.is_dir()


@pytest.mark.parametrize(
    "words",
    [
        ["flash", "arduino.bin", "0x1000", INIT, *PLAN],  # it has init data compiled in
        ["flash", "old.bin", "0x2000", "new.bin", *PLAN],  # two firmwares
        ["flash", "old.bin", "lfs.img", *PLAN],  # it has no LFS
        ["flash", "old.bin", "new.bin", INIT, *PLAN],
        ["merge", "old.bin", "0x100000", INIT, "0x7c000", f"./{INIT}", "-fs", "4MB", *MERGE],  # both?
    ],
    ids=lambda words: " ".join(words[:5]),
)
@pytest.mark.usefixtures("files")
def test_where_nothing_is_certain_no_command_is_made_up(imgtool: Command, words: list[str]) -> None:
    code, hint = hint_of(imgtool, words)

    assert code in (2, 4)
    assert LEAD not in hint


@pytest.mark.usefixtures("files")
def test_json_has_the_places(imgtool: Command) -> None:
    run = imgtool("merge", "old.bin", "0x7c000", INIT, "-fs", "4MB", *MERGE, "--json")

    assert json.loads(run.err)["error"]["moves"] == [{"file": INIT, "place": 0x3FC000}]


VALUES: Final = {"-b", "--baud", "-fs", "--filesystem"}


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("flash a.bin", "imgtool flash 0xc000 a.bin"),
        ("flash ./a.bin", "imgtool flash 0xc000 ./a.bin"),
        ("flash 0x7c000 a.bin --json", "imgtool flash 0xc000 a.bin --json"),
        ("flash 0x7c000:a.bin", "imgtool flash 0xc000 a.bin"),
        ("flash @lfs a.bin", "imgtool flash 0xc000 a.bin"),
        ("flash -b 115200 a.bin", "imgtool flash -b 115200 0xc000 a.bin"),
        ("flash --baud=115200 a.bin", "imgtool flash --baud=115200 0xc000 a.bin"),
        ("flash -fs 4MB 0x0 b.bin -- 0x7c000 a.bin", "imgtool flash -fs 4MB 0x0 b.bin -- 0xc000 a.bin"),
        ("merge -- -fs a.bin", "imgtool merge -- -fs 0xc000 a.bin"),
        ("fullimage --filesystem a.bin@0x1", "imgtool fullimage --filesystem a.bin@0xc000"),
        ("fullimage --filesystem=a.bin@0x1", "imgtool fullimage --filesystem=a.bin@0xc000"),
        ("flash b.bin", None),
        ("flash", None),
        ("flash -fs a.bin", None),
    ],
)
@pytest.mark.usefixtures("folder")
def test_words(words: str, right: str | None) -> None:
    assert corrected(words.split(), [Move("a.bin", 0xC000)], VALUES) == right


@pytest.mark.usefixtures("folder")
def test_names_of_places_and_quotes() -> None:
    moves = [Move("a b.img", "@spiffs"), Move("c.bin", "@init-data")]

    assert corrected(["flash", "a b.img", "c.bin"], moves, ()) == (
        "imgtool flash @spiffs 'a b.img' @init-data c.bin"
    )
    assert corrected(["flash", "c.bin", "--filesystem=a b.img@1"], moves, ()) == (
        "imgtool flash @init-data c.bin '--filesystem=a b.img'"
    )
    assert corrected(["flash", "a b.img"], moves, ()) is None


WARNED: Final = {
    "merge": (["merge", "old.bin", "0x7c000", INIT, *MERGE], "0xfc000"),
    "merge, MicroPython": (["merge", "mpy.bin", "0x7c000", INIT, *MERGE], "0xfc000"),
    "init data, NodeMCU 2 on the board": (["flash", "0x7c000", INIT, "-p", "old"], "0x3fc000"),
    "init data, NodeMCU 3 on the board": (["flash", "0x3fc000", INIT, "-p", "new"], "0xf000"),
    "files, NodeMCU 3 on the board": (["flash", "0x100000", "files.bin", "-p", "new"], "0x3e000"),
}
SLOW: Final = ("init data, NodeMCU 2 on the board", "files, NodeMCU 3 on the board")
BOARDS: Final = {"old": "dumps/nodemcu-2.2-4m.bin", "new": "dumps/nodemcu-3-used-4m.bin"}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.long if case in SLOW else ()) for case in WARNED]
)
@pytest.mark.usefixtures("files")
def test_a_warning_gives_the_command_too(imgtool: Command, put: Put, case: str) -> None:
    words, place = WARNED[case]
    if words[0] == "flash":
        put("board.bin", BOARDS[words[-1]])
        words = [*words[:-1], "sim:4MB,flash=board.bin", "--dry-run"]

    run = imgtool(*words)
    (result,) = json.loads(imgtool(*words, "--json").out)["results"]
    lead, told, line = " ".join(run.out.split()).partition(LEAD)
    right = imgtool(*shlex.split(line))

    assert (run.code, right.code) == (0, 0)
    assert "elsewhere" in lead
    assert told
    assert place in shlex.split(line)
    moves = (result if words[0] == "merge" else result["plan"])["moves"]
    assert [f"0x{move['place']:x}" for move in moves] == [place]
    assert LEAD not in " ".join(right.out.split())
