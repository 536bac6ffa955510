"""Files of file systems: listed by inspect, taken out by extract --files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fixtures.filesystems import FILES, SMALL, Spiffs, Variant, spiffs
from tests.support import IMAGES, Command, Put, aggregate

FLASH = "spiffs/files-linear.bin"
DUMP = "dumps/nodemcu-2.2-4m.bin"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_inspect_lists_files(put: Put, imgtool: Command) -> None:
    put("fs.bin", FLASH)
    run = imgtool("inspect", "fs.bin")

    assert (run.code, run.err) == (0, "")
    assert "spiffs at 0x000000: 131,072 bytes, 16 blocks of 8,192 bytes, linear magics" in run.out
    assert "6 files; 50 % used, 56,576 bytes free" in run.out
    rows = [line.split() for line in run.out.splitlines()]
    for name, content in FILES.items():
        assert [f"{len(content):,}", name.decode()] in rows


def test_a_long_list_is_cut(put: Put, imgtool: Command) -> None:
    files = {f"file-{number:03}".encode(): b"x" for number in range(50)}
    put("fs.bin", spiffs(files, Variant()))
    out = imgtool("inspect", "fs.bin").out

    assert sum("file-" in line for line in out.splitlines()) == 20
    assert "  and 30 more" in out
    result = json.loads(imgtool("inspect", "fs.bin", "--json").out)["results"][0]
    assert len(result["parts"][0]["files"]) == 50


def test_inspect_as_json(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    result = json.loads(imgtool("inspect", "dump.bin", "--json").out)["results"][0]
    part = next(part for part in result["parts"] if part["kind"] == "spiffs")

    assert part["files"] == [{"path": "init.lua", "size": 12, "whole": True}]
    assert (part["used"], part["free"], part["deleted"]) == (512, 253_440, 0)
    assert (part["layout"], part["half_written"], part["most_erases"]) == ("aligned", 0, 0)


def test_a_damaged_file_fails(put: Put, imgtool: Command) -> None:
    put("fs.bin", "broken/spiffs-file.bin")
    run = imgtool("inspect", "fs.bin")

    assert run.code == 1
    assert "large.bin (damaged)" in run.out
    assert "error  0x002100  large.bin is damaged: 1 of its 240 pages cannot be read" in run.out


def test_names_are_shown_and_not_obeyed(put: Put, imgtool: Command) -> None:
    put("fs.bin", spiffs({b"\x1b[2J": b"x"}, Variant()))
    run = imgtool("inspect", "fs.bin")
    assert "\x1b" not in run.out
    assert "\\x1b[2J" in run.out


def test_marks_that_turn_the_direction_are_spelt_out(put: Put, imgtool: Command) -> None:
    put("fs.bin", spiffs({"\u202egnp.exe\ufeff".encode(): b"x"}, Variant()))
    for words in (["inspect", "fs.bin"], ["extract", "fs.bin", "--files"]):
        assert "\\u202egnp.exe\\ufeff" in imgtool(*words).out


@pytest.mark.parametrize("output", ["-", "fs.bin"])
def test_files_need_a_folder(put: Put, folder: Path, imgtool: Command, output: str) -> None:
    put("fs.bin", FLASH)
    run = imgtool("extract", "fs.bin", "--files", "-o", output)

    assert (run.code, list(tree(folder))) == (2, ["fs.bin"])
    assert ("is no folder" if output == "fs.bin" else "nothing to stdout") in run.err


def test_a_list_writes_nothing(put: Put, folder: Path, imgtool: Command) -> None:
    put("fs.bin", FLASH)
    run = imgtool("extract", "fs.bin", "--files")

    assert (run.code, run.err, list(tree(folder))) == (0, "", ["fs.bin"])
    assert run.out.splitlines()[0] == "fs.bin: 6 files in spiffs (0x00000)."


def test_files_are_written(put: Put, folder: Path, imgtool: Command) -> None:
    put("fs.bin", FLASH)
    run = imgtool("extract", "fs.bin", "--files", "-o", "out")

    assert (run.code, run.err) == (0, "")
    assert tree(folder / "out") == {name.decode(): content for name, content in FILES.items()}


def test_several_file_systems(put: Put, folder: Path, imgtool: Command) -> None:
    dump = bytearray(IMAGES[DUMP])
    second = spiffs({b"other.txt": b"second"}, Variant(0x2000, 16))
    dump[0x100000 : 0x100000 + len(second)] = second
    put("dump.bin", bytes(dump))

    assert imgtool("extract", "dump.bin", "--files", "-o", "all").code == 0
    assert tree(folder / "all") == {"spiffs/init.lua": b"print('hi')\n", "spiffs-2/other.txt": b"second"}
    assert imgtool("extract", "dump.bin", "--files", "--part", "spiffs-2", "-o", "one").code == 0
    assert tree(folder / "one") == {"other.txt": b"second"}


def test_errors_name_no_thousand_parts(put: Put, imgtool: Command) -> None:
    dump = bytearray(IMAGES[DUMP])
    for address in range(0x30000, 0x200000, 0x2000):
        dump[address : address + 0x2000] = b"ab\1c".ljust(0x2000, b"\xff")
    put("dump.bin", bytes(dump))

    for words, code in ((["--files"], 3), (["--part", "x", "-o", "y"], 2)):
        run = imgtool("extract", "dump.bin", *words)
        assert (run.code, run.err.count("unknown") < 30, len(run.err) < 1000) == (code, True, True)


def test_many_file_systems_are_counted(put: Put, imgtool: Command) -> None:
    dump = bytearray(IMAGES[DUMP])
    tiny = spiffs({b"a": b"b"}, Variant(0x1000, 4))
    for address in range(0x100000, 0x130000, 0x8000):
        dump[address : address + len(tiny)] = tiny
    put("dump.bin", bytes(dump))

    assert imgtool("extract", "dump.bin", "--files").out.startswith("dump.bin: 7 files in 7 file systems.")


def test_what_is_damaged_is_written_and_said(put: Put, folder: Path, imgtool: Command) -> None:
    put("fs.bin", "broken/spiffs-file.bin")
    run = imgtool("extract", "fs.bin", "--files", "-o", "out")

    assert run.code == 1
    assert "large.bin is damaged" in run.out
    assert "zeros for a lost stretch" in " ".join(run.out.split())
    large = FILES[b"large.bin"]
    assert tree(folder / "out")["large.bin"] == bytes(251) + large[251:]
    assert tree(folder / "out")["init.lua"] == FILES[b"init.lua"]


def test_a_cut_file_system(put: Put, folder: Path, imgtool: Command) -> None:
    put("fs.bin", "broken/spiffs-files-cut.bin")
    run = imgtool("extract", "fs.bin", "--files", "-o", "out", "--json")
    document = json.loads(run.out)

    assert (run.code, document["ok"]) == (1, False)
    assert [finding["code"] for finding in document["results"][0]["findings"]] == ["cut", "stray-pages"]
    assert tree(folder / "out") == {name.decode(): content for name, content in SMALL.items()}


def test_hostile_names_stay_in_the_folder(put: Put, folder: Path, imgtool: Command) -> None:
    names = [
        b"../up",
        b"/abs",
        b"nul",
        b"a\\b",
        b"A",
        b"a",
        b"a/b",
        b"x:y",
        b"\x01",
        b"imgtool-manifest.json",
    ]
    put("fs.bin", spiffs({name: name for name in names}, Variant()))
    run = imgtool("extract", "fs.bin", "--files", "-o", "out", "--json")
    document = json.loads(run.out)

    assert run.code == 0
    assert set(tree(folder)) == {"fs.bin", *(f"out/{path}" for path in tree(folder / "out"))}
    assert sorted(tree(folder / "out").values()) == sorted(names)
    files = document["results"][0]["files"]
    assert {file["path"]: file["output"] for file in files}["../up"] == str(Path("out/__/up"))
    assert sum("becomes" in warning for warning in document["warnings"]) == 8


def test_the_same_name_twice(put: Put, folder: Path, imgtool: Command) -> None:
    made = Spiffs(Variant())
    made.write(b"a.txt", b"one")
    made.write(b"a.txt", b"two")
    put("fs.bin", made.image())

    assert imgtool("extract", "fs.bin", "--files", "-o", "out").code == 0
    assert tree(folder / "out") == {"a.txt": b"one", "a~2.txt": b"two"}


@pytest.mark.parametrize("link", ["http", "init.lua"])
def test_links_in_the_folder_are_not_followed(put: Put, folder: Path, imgtool: Command, link: str) -> None:
    put("fs.bin", FLASH)
    (folder / "elsewhere").mkdir()
    (folder / "out").mkdir()
    (folder / "out" / link).symlink_to(folder / "elsewhere")
    run = imgtool("extract", "fs.bin", "--files", "-o", "out")

    assert (run.code, tree(folder / "elsewhere")) == (2, {})
    assert "is a link, or lies behind one" in " ".join(run.err.split())


def test_nothing_is_written_where_one_file_cannot_be(put: Put, folder: Path, imgtool: Command) -> None:
    put("fs.bin", FLASH)
    (folder / "out" / "init.lua").mkdir(parents=True)

    assert imgtool("extract", "fs.bin", "--files", "-o", "out").code == 2
    assert tree(folder / "out") == {}


def test_not_into_a_folder_of_parts(put: Put, folder: Path, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    assert imgtool("extract", "dump.bin", "-o", "parts").code == 0
    before = tree(folder / "parts")

    assert imgtool("extract", "dump.bin", "--files", "-o", "parts").code == 2
    assert tree(folder / "parts") == before
    assert imgtool("merge", "parts", "-o", "same.bin").code == 0
    assert (folder / "same.bin").read_bytes() == IMAGES[DUMP]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--files", "--segment", "0", "-o", "x"), "--files and --segment do not go together"),
        (("--files", "--to-elf", "-o", "x"), "--files and --to-elf do not go together"),
        (("--files", "--part", "irom"), "no file system is in irom"),
        (("--files", "--irom-address", "0x40210000"), "--irom-address is for --to-elf"),
    ],
)
def test_words_that_make_no_sense(put: Put, imgtool: Command, words: tuple[str, ...], said: str) -> None:
    put("dump.bin", DUMP)
    run = imgtool("extract", "dump.bin", *words)
    assert run.code == 2
    assert said in " ".join(run.err.split())


def test_an_image_without_a_file_system(put: Put, imgtool: Command) -> None:
    put("x.bin", "sample/0x00000.bin")
    run = imgtool("extract", "x.bin", "--files")
    assert run.code == 3
    assert "no file system is there" in run.err


UNREAD = "the files in the LittleFS are not listed: that needs the package littlefs-python"


@pytest.fixture
def no_littlefs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "littlefs", None)


@pytest.mark.usefixtures("no_littlefs")
def test_inspect_without_the_library_for_littlefs(put: Put, imgtool: Command) -> None:
    put("dump.bin", "dumps/arduino-4m.bin")
    run = imgtool("inspect", "dump.bin")
    document = json.loads(imgtool("inspect", "dump.bin", "--json").out)
    (result,) = document["results"]
    (part,) = [each for each in result["parts"] if each["kind"] == "littlefs"]

    assert (run.code, run.err) == (0, "")
    assert UNREAD in " ".join(run.out.split())
    assert "no files" not in run.out
    assert document["ok"]
    assert {"files", "used", "free"} & part.keys() == set()
    assert [each["offset"] for each in result["findings"] if each["code"] == "littlefs-unread"] == [0x200000]


@pytest.mark.usefixtures("no_littlefs")
def test_extract_without_the_library_for_littlefs(put: Put, folder: Path, imgtool: Command) -> None:
    put("fs.bin", "littlefs/empty.bin")
    run = imgtool("extract", "fs.bin", "--files")
    document = json.loads(imgtool("extract", "fs.bin", "--files", "--json").out)

    assert (run.code, run.err) == (0, "")
    assert "fs.bin: the files in littlefs (0x00000) are not listed." in run.out
    assert UNREAD in " ".join(run.out.split())
    assert (document["ok"], document["warnings"], document["results"][0]["files"]) == (True, [UNREAD], [])
    assert imgtool("extract", "fs.bin", "-o", "parts").code == 0
    assert (folder / "parts").is_dir()


@pytest.mark.usefixtures("no_littlefs")
def test_other_commands_without_the_library_for_littlefs(put: Put, imgtool: Command) -> None:
    put("a.bin", "dumps/arduino-4m.bin")
    put("b.bin", "dumps/nodemcu-2.2-4m.bin")

    assert imgtool("compare", "a.bin", "b.bin").code == 1
    assert imgtool("advise", "a.bin", "b.bin").code in {0, 1}
    put("image.bin", aggregate("sample"))
    put("fs.bin", "littlefs/empty.bin")
    pieces = ("0", "image.bin", "0x200000", "fs.bin")
    assert imgtool("fullimage", "--size", "4MB", *pieces, "-o", "full.bin").code == 0
    assert imgtool("merge", *pieces, "-o", "merged.bin").code == 0
    assert imgtool("inspect", "a.bin", "--html", "page.html").code == 0
