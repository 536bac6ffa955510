from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import IMAGES, Command, Put, aggregate


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


PAIR = {name: IMAGES[f"sample/{name}"] for name in ("0x00000.bin", "0x10000.bin")}


def test_into_a_folder(folder: Path, put: Put, imgtool: Command) -> None:
    put("nodemcu.bin", aggregate("sample"))
    run = imgtool("split", "nodemcu.bin", "-o", "new/parts")

    assert (run.code, contents(folder / "new" / "parts")) == (0, PAIR)


def test_into_the_current_folder_by_default(folder: Path, put: Put, imgtool: Command) -> None:
    whole = put("nodemcu.bin", aggregate("sample")).read_bytes()
    run = imgtool("split", "nodemcu.bin")

    assert (run.code, contents(folder)) == (0, {**PAIR, "nodemcu.bin": whole})


def test_it_prints_the_addresses_to_flash_them_at(put: Put, imgtool: Command) -> None:
    put("nodemcu.bin", aggregate("sample"))
    lines = imgtool("split", "nodemcu.bin", "-o", "parts").out.splitlines()

    assert [line.split() for line in lines[-2:]] == [
        ["0x000000", "34,096", "0x00000.bin"],
        ["0x010000", "120,244", "0x10000.bin"],
    ]


@pytest.mark.parametrize("name", ["sample", "nodemcu-0.9.5", "nodemcu-3.0-2021"])
@pytest.mark.parametrize("fill", ["0x00", "0xFF", "0x5A"])
def test_merge_gives_it_back(folder: Path, put: Put, imgtool: Command, name: str, fill: str) -> None:
    whole = put("whole.bin", aggregate(name, fill=int(fill, 0))).read_bytes()
    imgtool("split", "whole.bin", "-o", "parts")
    imgtool("merge", "parts", "-o", "again.bin", "--fill", fill)

    assert (folder / "again.bin").read_bytes() == whole


def test_another_fill_is_said(put: Put, imgtool: Command) -> None:
    put("whole.bin", aggregate("sample", fill=0))

    assert "0x00" in imgtool("split", "whole.bin", "-o", "parts").out


@pytest.mark.parametrize(
    ("name", "code"),
    [("sample/0x00000.bin", 3), ("v2/user1.bin", 3), ("blank.bin", 3), (None, 2)],
)
def test_exit_code(folder: Path, put: Put, imgtool: Command, name: str | None, code: int) -> None:
    if name is not None:
        put("file.bin", name)
    run = imgtool("split", "file.bin", "-o", "parts")

    assert (run.code, run.out, (folder / "parts").exists(), "file.bin" in run.err) == (code, "", False, True)


def test_folder_that_is_a_file(put: Put, imgtool: Command) -> None:
    put("whole.bin", aggregate("sample"))
    path = put("parts", b"a file")
    run = imgtool("split", "whole.bin", "-o", "parts")

    assert (run.code, path.read_bytes()) == (2, b"a file")


def test_json(put: Put, imgtool: Command) -> None:
    put("whole.bin", aggregate("sample"))
    document = json.loads(imgtool("split", "whole.bin", "-o", "parts", "--json").out)

    (result,) = document["results"]
    assert (document["command"], document["ok"], result["size"]) == ("split", True, 185780)
    assert [(part["path"], part["address"], part["size"]) for part in result["parts"]] == [
        (str(Path("parts/0x00000.bin")), 0, 34096),
        (str(Path("parts/0x10000.bin")), 0x10000, 120244),
    ]
