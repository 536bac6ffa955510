from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import IMAGES, Command, Put, aggregate

WHOLE = aggregate("sample")


@pytest.mark.parametrize(
    "arguments",
    [
        ["0x00000.bin", "0x10000.bin"],
        ["0x10000.bin", "0x00000.bin"],
        ["."],
        ["0", "0x00000.bin", "0x10000", "0x10000.bin"],
        ["0x0:0x00000.bin", "64K:0x10000.bin"],
        ["boot.bin", "0x10000.bin"],
        ["boot.bin", "0x10000", "code.bin"],
        ["@args.txt"],
    ],
    ids=" ".join,
)
def test_ways_to_say_it(pair: Path, put: Put, imgtool: Command, arguments: list[str]) -> None:
    put("boot.bin", "sample/0x00000.bin")
    put("code.bin", "sample/0x10000.bin")
    put("args.txt", b"0x00000.bin\n0x10000.bin # the rest\n")
    run = imgtool("merge", *arguments, "-o", "out.bin")

    assert (run.code, run.err, (pair / "out.bin").read_bytes() == WHOLE) == (0, "", True)


def test_esptools_name(pair: Path, imgtool: Command) -> None:
    run = imgtool("merge-bin", "-o", "out.bin", "-fm", "dio", "0x0", "0x00000.bin", "0x10000", "0x10000.bin")

    assert (run.code, (pair / "out.bin").read_bytes() == WHOLE) == (0, True)


def test_what_it_says(pair: Path, imgtool: Command) -> None:
    lines = imgtool("merge", pair, "-o", "out.bin").out.splitlines()

    assert lines[0] == "out.bin: 185,780 bytes, bin"


def test_where_the_parts_went(pair: Path, imgtool: Command) -> None:
    assert pair.is_dir()
    lines = imgtool("merge", "0x00000.bin", "0x10000.bin", "-o", "out.bin").out.splitlines()

    assert [line.split() for line in lines[-2:]] == [
        ["0x000000", "34,096", "0x00000.bin"],
        ["0x010000", "120,244", "0x10000.bin"],
    ]


@pytest.mark.parametrize("fill", ["0x00", "0", "255", "0xa5"])
def test_fill(pair: Path, imgtool: Command, fill: str) -> None:
    imgtool("merge", pair, "-o", "out.bin", "--fill", fill)

    assert (pair / "out.bin").read_bytes() == aggregate("sample", fill=int(fill, 0))


@pytest.mark.parametrize("fill", ["256", "0x100", "-1", "ff", ""])
def test_fill_that_is_no_byte(pair: Path, imgtool: Command, fill: str) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", "--fill", fill)

    assert (run.code, (pair / "out.bin").exists()) == (2, False)


@pytest.mark.parametrize(("length", "size"), [("1MB", 1 << 20), ("0x40000", 0x40000), ("256K", 0x40000)])
def test_pad_to(pair: Path, imgtool: Command, length: str, size: int) -> None:
    imgtool("merge", pair, "-o", "out.bin", "--pad-to", length)

    assert (pair / "out.bin").read_bytes() == WHOLE.ljust(size, b"\xff")


def test_pad_to_less_than_there_is(pair: Path, imgtool: Command) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", "--pad-to", "128K")

    assert (run.code, (pair / "out.bin").exists()) == (4, False)


@pytest.mark.parametrize("length", ["17MB", "999999999999MB"])
def test_pad_to_more_than_any_flash_has(pair: Path, imgtool: Command, length: str) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", "--pad-to", length)

    assert (run.code in (2, 4), (pair / "out.bin").exists()) == (True, False)


@pytest.mark.parametrize(
    ("options", "bytes_2_and_3"),
    [
        ([], "0220"),
        (["-fm", "keep", "-ff", "keep", "-fs", "keep"], "0220"),
        (["-fm", "qio"], "0020"),
        (["--flash-mode", "dout"], "0320"),
        (["-ff", "80m"], "022f"),
        (["--flash-freq", "26m"], "0221"),
        (["-fs", "4MB"], "0240"),
        (["-fs", "2MB-c1"], "0250"),
        (["--flash-size", "16mb"], "0290"),
        (["-fm", "QIO", "-ff", "20m", "-fs", "512KB"], "0002"),
    ],
    ids=" ".join,
)
def test_header_options(pair: Path, imgtool: Command, options: list[str], bytes_2_and_3: str) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", *options)

    assert (run.code, (pair / "out.bin").read_bytes()[2:4].hex()) == (0, bytes_2_and_3)


@pytest.mark.parametrize(
    ("spelling", "name", "code"),
    [("4m", "512KB", 0x00), ("8m", "1MB", 0x20), ("16m", "2MB", 0x30), ("32m", "4MB", 0x40)],
)
def test_old_spelling_of_a_size(pair: Path, imgtool: Command, spelling: str, name: str, code: int) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", "-fs", spelling)

    assert ((pair / "out.bin").read_bytes()[3], name in run.out, "megabit" in run.out) == (code, True, True)


@pytest.mark.parametrize(
    "options", [["-fm", "spi"], ["-ff", "40"], ["-fs", "3MB"], ["-fs", "detect"]], ids=" ".join
)
def test_header_options_that_make_no_sense(pair: Path, imgtool: Command, options: list[str]) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", *options)

    assert (run.code, (pair / "out.bin").exists()) == (2, False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["a.bin", "b.bin"], 2),
        ([], 2),
        (["missing.bin"], 2),
        (["0x10000"], 2),
        (["empty"], 2),
        (["@missing.txt"], 2),
        (["@lfs", "a.bin"], 2),
        (["damaged.bin"], 3),
        (["empty.bin"], 3),
        (["0x00000.bin", "0x8000", "a.bin"], 4),
        (["overlong.bin", "0x10000.bin"], 4),
        (["0x00000.bin", "0x40210000", "0x10000.bin"], 4),
        (["0x00000.bin", "0xffffffffffff", "0x10000.bin"], 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_code(pair: Path, put: Put, imgtool: Command, arguments: list[str], code: int) -> None:
    put("a.bin", "sample/0x00000.bin")
    put("b.bin", "sample/0x00000.bin")
    put("damaged.bin", "broken/bad-checksum.bin")
    put("overlong.bin", "broken/overlong-irom.bin")
    put("empty.bin", b"")
    (pair / "empty").mkdir()
    run = imgtool("merge", *arguments, "-o", "out.bin")

    assert (run.code, run.out, (pair / "out.bin").exists()) == (code, "", False)


def test_overlap_names_both_parts_and_the_bytes(put: Put, imgtool: Command) -> None:
    put("overlong.bin", "broken/overlong-irom.bin")
    put("0x10000.bin", "sample/0x10000.bin")
    run = imgtool("merge", "overlong.bin", "0x10000.bin", "-o", "out.bin")

    text = " ".join(run.err.split())
    assert [word in text for word in ("overlong.bin", "0x10000.bin", "448 bytes")] == [True] * 3


def test_different_builds_are_a_warning(folder: Path, put: Put, imgtool: Command) -> None:
    put("0x00000.bin", "broken/mixed/0x00000.bin")
    put("0x10000.bin", "broken/mixed/0x10000.bin")
    run = imgtool("merge", folder, "-o", "out.bin")

    assert (run.code, "look like different builds" in " ".join((run.out + run.err).split())) == (0, True)


def test_named_places(folder: Path, put: Put, imgtool: Command) -> None:
    put("0x00000.bin", "nodemcu-3.0-2021/0x00000.bin")
    put("0x10000.bin", "nodemcu-3.0-2021/0x10000.bin")
    put("init.bin", "init-data/v08.bin")
    run = imgtool("merge", "0x00000.bin", "0x10000.bin", "@init-data", "init.bin", "-o", "out.bin")

    assert (run.code, (folder / "out.bin").read_bytes()[0xF000:0xF080]) == (0, IMAGES["init-data/v08.bin"])


def test_the_same_inputs_give_the_same_bytes(pair: Path, imgtool: Command) -> None:
    for name in ("one.bin", "two.bin"):
        imgtool("merge", "0x00000.bin", "0x10000.bin", "-o", name)

    assert (pair / "one.bin").read_bytes() == (pair / "two.bin").read_bytes()


def test_json(pair: Path, imgtool: Command) -> None:
    assert pair.is_dir()
    run = imgtool("merge", "0x00000.bin", "0x10000.bin", "-o", "out.bin", "--json")

    document = json.loads(run.out)
    (result,) = document["results"]
    assert (run.code, run.err, document["command"], document["ok"], document["warnings"]) == (
        0,
        "",
        "merge",
        True,
        [],
    )
    assert (result["path"], result["size"], result["fill"]) == ("out.bin", 185780, 255)
    assert [(part["name"], part["address"], part["size"]) for part in result["parts"]] == [
        ("0x00000.bin", 0, 34096),
        ("0x10000.bin", 0x10000, 120244),
    ]


def test_json_has_the_warnings(folder: Path, put: Put, imgtool: Command) -> None:
    put("0x00000.bin", "broken/mixed/0x00000.bin")
    put("0x10000.bin", "broken/mixed/0x10000.bin")
    run = imgtool("merge", folder, "-o", "out.bin", "-fs", "32m", "--json")

    assert [("builds" in text, "megabits" in text) for text in json.loads(run.out)["warnings"]] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("spelling", ["4m", "32m"])
def test_the_long_option_knows_no_megabits(pair: Path, imgtool: Command, spelling: str) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", "--flash-size", spelling)

    assert (run.code, (pair / "out.bin").exists()) == (2, False)


def test_two_sizes_are_one_too_many(pair: Path, imgtool: Command) -> None:
    run = imgtool("merge", pair, "-o", "out.bin", "--flash-size", "1MB", "-fs", "2MB")

    assert (run.code, "two flash sizes" in run.err) == (2, True)
