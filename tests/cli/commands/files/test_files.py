"""``imgtool files``: in images, in dumps and on virtual boards, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from fixtures.filesystems import FILES, SLASHED, Variant, spiffs, used
from fixtures.upgrades import MB, before_3
from fixtures.upgrades import used as flashed
from imgtool.operations.inspect.file_systems import file_systems
from tests.nodemcu_files import RELEASES, with_files
from tests.support import Command, Put, aggregate

LITTLE: Final = "arduino-littlefs-1m64"
SMALL: Final = {name: data for name, data in FILES.items() if len(data) < 2000}
DUMP: Final = with_files({release.name: release for release in RELEASES}["2.2.1"], MB, 0x20000, SMALL)


def files_in(path: Path) -> dict[str, bytes]:
    (system,) = file_systems(path.read_bytes())
    assert all(file.whole for file in system.files)
    return {file.path: file.data for file in system.files}


def named(files: dict[bytes, bytes]) -> dict[str, bytes]:
    return {name.decode(): data for name, data in files.items()}


@pytest.fixture
def lua(folder: Path) -> Path:
    """A folder with files as people have them."""
    (folder / "lua" / "http").mkdir(parents=True)
    (folder / "lua" / "init.lua").write_bytes(b"print('new')\r\n")
    (folder / "lua" / "http" / "logo.gif").write_bytes(bytes(range(256)) * 9)
    (folder / "lua" / "empty").write_bytes(b"")
    (folder / "lua" / ".DS_Store").write_bytes(b"litter")
    return folder / "lua"


OWN: Final = {"init.lua": b"print('new')\r\n", "http/logo.gif": bytes(range(256)) * 9, "empty": b""}


# List and get.


def test_list_of_a_dump(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    run = imgtool("files", "list", "dump.bin")

    assert (run.code, run.err) == (0, "")
    assert [line.split()[-1] for line in run.out.splitlines()[-len(SMALL) :]] == sorted(named(SMALL))


def test_list_as_json(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    document = json.loads(imgtool("files", "list", "dump.bin", "*.lua", "--json").out)

    (result,) = document["results"]
    assert document["command"] == "files list"
    assert [file["path"] for system in result["file_systems"] for file in system["files"]] == ["init.lua"]


def test_get_takes_what_fits(folder: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)

    assert imgtool("files", "get", "dump.bin", "http/*", "init.lua", "-o", "out").code == 0

    found = {str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*") if path.is_file()}
    assert found == {"http/index.html", "init.lua"}
    assert (folder / "out" / "init.lua").read_bytes() == FILES[b"init.lua"]


def test_get_prints_one(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)

    assert imgtool("files", "get", "dump.bin", "init.lua", "-o", "-").out.encode() == FILES[b"init.lua"]
    assert imgtool("files", "get", "dump.bin", "*", "-o", "-").code == 2


def test_a_pattern_that_fits_nothing(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)

    for words in (["list", "dump.bin", "no*"], ["get", "dump.bin", "no*", "-o", "out"]):
        run = imgtool("files", *words)
        assert run.code == 1
        assert "no*" in run.out + run.err
    before = imgtool("files", "remove", "dump.bin", "no*", "init.lua", "--in-place")
    assert before.code == 1
    assert "init.lua" in imgtool("files", "list", "dump.bin").out


# Put and remove, in a dump.


def test_put_leaves_all_other_bytes_alone(folder: Path, lua: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)

    run = imgtool("files", "put", "dump.bin", lua.name, "-o", "new.bin")

    assert run.code == 0, run.err
    new = (folder / "new.bin").read_bytes()
    assert (folder / "dump.bin").read_bytes() == DUMP
    assert files_in(folder / "new.bin") == named(SMALL) | OWN
    assert new[:0x30000] == DUMP[:0x30000]
    assert new[0xFB000:] == DUMP[0xFB000:]


@pytest.mark.usefixtures("lua")
def test_put_under_another_name_and_remove(folder: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)

    assert imgtool("files", "put", "dump.bin", "lua/init.lua", "--as", "a/b", "--in-place").code == 0
    assert files_in(folder / "dump.bin")["a/b"] == OWN["init.lua"]
    assert imgtool("files", "remove", "dump.bin", "a/*", "one*", "--in-place").code == 0
    left = {name: data for name, data in named(SMALL).items() if not name.startswith("one")}
    assert files_in(folder / "dump.bin") == left


def test_the_image_is_never_written_over_unasked(folder: Path, lua: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)

    assert imgtool("files", "put", "dump.bin", lua.name).code == 2
    assert imgtool("files", "put", "dump.bin", lua.name, "-o", "dump.bin").code == 2
    run = imgtool("files", "put", "dump.bin", lua.name, "--dry-run")
    assert run.code == 0
    assert "new" in run.out
    assert (folder / "dump.bin").read_bytes() == DUMP


def test_what_does_not_fit_is_refused_with_the_bytes(folder: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    (folder / "long.bin").write_bytes(bytes(900_000))

    run = imgtool("files", "put", "dump.bin", "long.bin", "-o", "new.bin")

    assert run.code == 4
    assert "too many" in run.err
    assert not (folder / "new.bin").exists()


@pytest.mark.usefixtures("lua")
def test_a_name_that_cannot_be_opened_is_refused(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)

    run = imgtool("files", "put", "dump.bin", "lua/init.lua", "--as", "n" * 32, "-o", "new.bin")

    assert (run.code, "n" * 32 in run.err.replace("\n       ", "")) == (4, True)


def test_a_full_file_system_is_made_anew(folder: Path, put: Put, imgtool: Command) -> None:
    """What deleted files take is in the way until it is."""
    variant = Variant(0x1000, 8)
    put("fs.bin", used(SMALL, variant))
    (folder / "more.bin").write_bytes(bytes(range(256)) * 40)

    run = imgtool("files", "put", "fs.bin", "more.bin", "-o", "new.bin")

    assert run.code == 0, run.err
    assert files_in(folder / "new.bin") == named(SMALL) | {"more.bin": bytes(range(256)) * 40}


@pytest.mark.usefixtures("lua")
def test_arduinos_names_get_their_slash(folder: Path, put: Put, imgtool: Command) -> None:
    files = {name: data for name, data in SLASHED.items() if len(data) < 2000}
    put("fs.bin", spiffs(files, Variant(0x1000, 16, "constant")))

    assert imgtool("files", "put", "fs.bin", "lua/init.lua", "-o", "new.bin").code == 0

    assert files_in(folder / "new.bin")["/init.lua"] == OWN["init.lua"]


def test_a_damaged_file_system_is_not_changed(folder: Path, lua: Path, put: Put, imgtool: Command) -> None:
    put("fs.bin", "broken/spiffs-file.bin")

    run = imgtool("files", "put", "fs.bin", lua.name, "-o", "new.bin")

    assert (run.code, "damaged" in run.err) == (3, True)
    assert not (folder / "new.bin").exists()
    assert imgtool("files", "get", "fs.bin", "-o", "out").code == 1
    assert (folder / "out" / "init.lua").read_bytes() == FILES[b"init.lua"]


def test_no_file_system(put: Put, imgtool: Command) -> None:
    put("fw.bin", aggregate("sample"))

    assert imgtool("files", "list", "fw.bin").code == 3


# Make.


@pytest.mark.parametrize("name", ["nodemcu-0.9.5", "nodemcu-1.5", "nodemcu-2.0", "nodemcu-3.0", "sming-4.3"])
def test_make_by_name(folder: Path, lua: Path, imgtool: Command, name: str) -> None:
    run = imgtool("files", "make", lua.name, "-o", "fs.bin", "--for", name, "--length", "128KB")

    assert run.code == 0, run.err
    assert files_in(folder / "fs.bin") == OWN
    assert ".DS_Store" not in run.out.split("left out")[0]


def test_make_a_littlefs(folder: Path, lua: Path, imgtool: Command) -> None:
    assert imgtool("files", "make", lua.name, "-o", "fs.bin", "--for", LITTLE).code == 0

    assert files_in(folder / "fs.bin") == OWN
    assert (folder / "fs.bin").stat().st_size == 0x10000
    (folder / "more").write_bytes(b"m" * 5000)
    assert imgtool("files", "put", "fs.bin", "more", "--as", "a/b/c", "-o", "new.bin").code == 0
    assert imgtool("files", "remove", "new.bin", "http/*", "--in-place").code == 0
    assert set(files_in(folder / "new.bin")) == {"init.lua", "empty", "a/b/c"}


def test_make_for_a_firmware(folder: Path, lua: Path, put: Put, imgtool: Command) -> None:
    put("fw.bin", before_3("2.2.1"))

    run = imgtool("files", "make", lua.name, "-o", "fs.bin", "--for", "fw.bin", "--size", "4MB", "--json")

    assert run.code == 0, run.err
    (result,) = json.loads(run.out)["results"]
    assert result["address"] == 0x30000
    assert (folder / "fs.bin").stat().st_size == result["size"] == 0x3FB000 // 0x2000 * 0x2000 - 0x30000
    assert files_in(folder / "fs.bin") == OWN


def test_make_says_which_names_there_are(lua: Path, imgtool: Command) -> None:
    assert "arduino-littlefs-4m2m" in imgtool("files", "make", "--for", "list").out
    run = imgtool("files", "make", lua.name, "-o", "fs.bin", "--for", "nodemcu")
    assert (run.code, "--for list" in run.err) == (2, True)


# On a board.


def test_a_board(folder: Path, lua: Path, put: Put, imgtool: Command) -> None:
    put("board.bin", DUMP)
    port = ("-p", "sim:1MB,flash=board.bin", "--stub", "imgtool")

    assert imgtool("files", "list", *port).out.count("\n") > len(SMALL)
    run = imgtool("files", "put", lua.name, *port)
    assert run.code == 0, run.err
    assert files_in(folder / "board.bin") == named(SMALL) | OWN
    assert imgtool("files", "get", "init.lua", "-o", "-", *port).out.encode() == OWN["init.lua"]
    assert imgtool("files", "remove", "h*", *port).code == 0
    assert "http/logo.gif" not in files_in(folder / "board.bin")
    assert (folder / "board.bin").read_bytes()[:0x30000] == DUMP[:0x30000]
    # The copies that were made meanwhile are not needed any more.
    assert [path.name for path in folder.glob("imgtool-files-*")] == []


def test_a_board_without_files(put: Put, imgtool: Command) -> None:
    put("board.bin", flashed(before_3("2.2.1"), {}, MB))
    run = imgtool("files", "list", "-p", "sim:1MB,flash=board.bin", "--stub", "imgtool")

    assert run.code == 4
    assert "no file system" in run.err
