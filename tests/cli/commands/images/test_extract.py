from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imgtool.formats.elf.file import Executable
from tests.support import IMAGES, Command, Put, aggregate

DUMP = "dumps/nodemcu-2.2-4m.bin"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def whole(put: Put) -> bytes:
    """An aggregated image in the current folder."""
    data: bytes = put("nodemcu.bin", aggregate("sample")).read_bytes()
    return data


@pytest.fixture
def parts(whole: bytes, folder: Path, imgtool: Command) -> Path:
    """It taken apart."""
    assert whole
    assert imgtool("extract", "nodemcu.bin", "-o", "parts").code == 0
    return folder / "parts"


def test_a_list_writes_nothing(folder: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    run = imgtool("extract", "dump.bin")

    assert (run.code, run.err, [path.name for path in folder.iterdir()]) == (0, "", ["dump.bin"])
    assert [line.split() for line in run.out.splitlines()[1:]] == [
        ["part", "kind", "offset", "size", "load", "address"],
        ["image-v1", "image-v1", "0x000000", "34,096", "by", "segment"],
        ["irom", "irom", "0x010000", "120,244", "0x40210000"],
        ["spiffs", "spiffs", "0x030000", "262,144"],
        ["rf-cal", "rf-cal", "0x3fb000", "4,096"],
        ["init-data", "init-data", "0x3fc000", "4,096"],
        ["system-param", "system-param", "0x3fd000", "12,288"],
    ]


def test_nothing_but_fill(put: Put, imgtool: Command) -> None:
    put("blank.bin", "blank.bin")

    assert imgtool("extract", "blank.bin").out.splitlines()[1] == "It holds nothing but fill."


def test_a_folder(parts: Path) -> None:
    manifest = json.loads((parts / "imgtool-manifest.json").read_bytes())

    assert contents(parts).keys() == {"0x00000-image-v1.bin", "0x10000-irom.bin", "imgtool-manifest.json"}
    assert (parts / "0x00000-image-v1.bin").read_bytes() == IMAGES["sample/0x00000.bin"]
    assert manifest == {
        "schema": 1,
        "source": {
            "name": "nodemcu.bin",
            "size": 185780,
            "sha256": hashlib.sha256(aggregate("sample")).hexdigest(),
            "kind": "aggregated",
            "flash_size": "1MB",
        },
        "stretches": [
            {
                "file": "0x00000-image-v1.bin",
                "address": 0,
                "size": 34096,
                "sha256": hashlib.sha256(IMAGES["sample/0x00000.bin"]).hexdigest(),
                "kind": "image-v1",
            },
            {"fill": 255, "address": 34096, "size": 31440, "kind": "gap"},
            {
                "file": "0x10000-irom.bin",
                "address": 65536,
                "size": 120244,
                "sha256": hashlib.sha256(IMAGES["sample/0x10000.bin"]).hexdigest(),
                "kind": "irom",
            },
        ],
    }


@pytest.mark.parametrize("word", ["parts", "parts/imgtool-manifest.json"])
@pytest.mark.parametrize("name", [DUMP, "broken/bad-checksum.bin", "spiffs/linear.bin", "tuya/one.bin"])
def test_merge_gives_it_back(folder: Path, put: Put, imgtool: Command, name: str, word: str) -> None:
    put("it.bin", name)
    taken = imgtool("extract", "it.bin", "-o", "parts")
    run = imgtool("merge", word, "-o", "again.bin")

    assert (taken.code, run.code, run.err) == (0, 0, "")
    assert (folder / "again.bin").read_bytes() == IMAGES[name]


def test_other_files_of_the_folder_stay(parts: Path, imgtool: Command) -> None:
    (parts / "notes.txt").write_bytes(b"mine")
    imgtool("extract", "nodemcu.bin", "-o", "parts")

    assert contents(parts)["notes.txt"] == b"mine"


def test_hex_output_of_a_folder(folder: Path, parts: Path, whole: bytes, imgtool: Command) -> None:
    assert parts.is_dir()
    imgtool("merge", "parts", "-o", "again.hex")
    imgtool("extract", "again.hex", "-o", "from-hex")
    run = imgtool("merge", "from-hex", "-o", "again.bin")

    assert (run.code, (folder / "again.bin").read_bytes()) == (0, whole)
    assert (
        json.loads((folder / "from-hex/imgtool-manifest.json").read_bytes())["source"]["wrapper"]["kind"]
        == "intel-hex"
    )


def test_a_changed_part_is_named(folder: Path, parts: Path, whole: bytes, imgtool: Command) -> None:
    path = parts / "0x10000-irom.bin"
    path.write_bytes(path.read_bytes()[:-4] + b"edit")
    run = imgtool("merge", "parts", "-o", "again.bin")

    assert (run.code, (folder / "again.bin").read_bytes()) == (0, whole[:-4] + b"edit")
    assert "0x10000-irom.bin was changed" in " ".join(run.out.split())


def test_a_changed_part_is_checked(parts: Path, folder: Path, imgtool: Command) -> None:
    path = parts / "0x00000-image-v1.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    run = imgtool("merge", "parts", "-o", "again.bin")

    assert (run.code, (folder / "again.bin").exists(), "checksum" in run.err) == (3, False, True)


def test_header_options_for_a_folder(folder: Path, parts: Path, whole: bytes, imgtool: Command) -> None:
    assert parts.is_dir()
    imgtool("merge", "parts", "-o", "again.bin", "-fm", "dout")

    assert (folder / "again.bin").read_bytes() == whole[:2] + b"\x03" + whole[3:]


# --- folders that are not as they should be ---


def edited(parts: Path, number: int, **changes: Any) -> None:  # noqa: ANN401 - whatever a test puts in
    path = parts / "imgtool-manifest.json"
    document = json.loads(path.read_bytes())
    document["stretches"][number].update(changes)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "name", ["../nodemcu.bin", "/etc/hostname", "sub/x.bin", "..", "C:\\x.bin", "..\\nodemcu.bin"]
)
def test_a_name_that_leads_out(parts: Path, folder: Path, imgtool: Command, name: str) -> None:
    edited(parts, 0, file=name)
    run = imgtool("merge", "parts", "-o", "again.bin", "--json")
    error = json.loads(run.err)["error"]

    assert (run.code, run.out, (folder / "again.bin").exists()) == (3, "", False)
    assert (error["source"], json.loads(error["found"])) == (str(Path("parts/imgtool-manifest.json")), name)


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights there")
@pytest.mark.parametrize("target", ["../nodemcu.bin", "/dev/zero"])
def test_a_link_that_leads_out(parts: Path, imgtool: Command, target: str) -> None:
    (parts / "0x10000-irom.bin").unlink()
    (parts / "0x10000-irom.bin").symlink_to(target)
    run = imgtool("merge", "parts", "-o", "again.bin")

    assert (run.code, "entry 2 (0x10000-irom.bin)" in run.err, "leads out of the" in run.err) == (
        3,
        True,
        True,
    )


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights there")
def test_a_link_inside_the_folder(folder: Path, parts: Path, whole: bytes, imgtool: Command) -> None:
    (parts / "0x10000-irom.bin").rename(parts / "other.bin")
    (parts / "0x10000-irom.bin").symlink_to("other.bin")
    imgtool("merge", "parts", "-o", "again.bin")

    assert (folder / "again.bin").read_bytes() == whole


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names there")
def test_a_pipe_is_not_read(parts: Path, imgtool: Command) -> None:
    (parts / "0x10000-irom.bin").unlink()
    os.mkfifo(parts / "0x10000-irom.bin")

    assert imgtool("merge", "parts", "-o", "again.bin").code == 3


def test_a_missing_file(parts: Path, imgtool: Command) -> None:
    (parts / "0x10000-irom.bin").unlink()
    run = imgtool("merge", "parts", "-o", "again.bin", "--json")
    error = json.loads(run.err)["error"]

    assert (run.code, error["expected"], error["found"]) == (3, "120,244 bytes", "no file")
    assert "entry 2 (0x10000-irom.bin)" in error["message"]


def test_a_file_of_another_size(parts: Path, imgtool: Command) -> None:
    with (parts / "0x10000-irom.bin").open("ab") as file:
        file.write(b"x")
    error = json.loads(imgtool("merge", "parts", "-o", "again.bin", "--json").err)["error"]

    assert (error["type"], error["expected"], error["found"]) == (
        "FormatError",
        "120,244 bytes",
        "120,245 bytes",
    )


@pytest.mark.parametrize(
    ("number", "changes", "words"),
    [(1, {"address": 34000}, "overlaps"), (1, {"size": 31441}, "overlaps"), (2, {"address": 65537}, "hole")],
)
def test_stretches_that_do_not_meet(
    parts: Path, imgtool: Command, number: int, changes: dict[str, int], words: str
) -> None:
    edited(parts, number, **changes)
    run = imgtool("merge", "parts", "-o", "again.bin")

    assert (run.code, words in run.err) == (3, True)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": 2}', b'{"builds": []}'])
def test_a_manifest_that_is_none(parts: Path, imgtool: Command, data: bytes) -> None:
    (parts / "imgtool-manifest.json").write_bytes(data)
    run = imgtool("merge", "parts", "-o", "again.bin")

    assert (run.code, "imgtool-manifest.json" in run.err) == (3, True)


def test_an_address_before_a_manifest(parts: Path, imgtool: Command) -> None:
    assert parts.is_dir()

    assert imgtool("merge", "0x1000", "parts/imgtool-manifest.json", "-o", "again.bin").code == 2


@pytest.mark.parametrize("name", ["0x10000-irom.bin", "imgtool-manifest.json"])
def test_a_part_is_not_overwritten_by_what_is_made_of_it(parts: Path, imgtool: Command, name: str) -> None:
    before = contents(parts)
    merged = imgtool("merge", "parts", "-o", parts / name)
    full = imgtool("fullimage", "--size", "1MB", "parts", "-o", parts / name)

    assert (merged.code, full.code, contents(parts)) == (2, 2, before)


def test_a_folder_without_a_manifest_is_what_it_was(parts: Path, imgtool: Command) -> None:
    (parts / "imgtool-manifest.json").unlink()
    run = imgtool("merge", "parts", "-o", "again.bin")

    # Parts with no address in their names: which of them is the firmware is not guessed.
    assert (run.code, (parts / "again.bin").exists()) == (3, False)
    assert "parts" in run.err


# --- a full image ---


@pytest.mark.parametrize(
    ("firmware", "words"),
    [
        ("sample", ["--set", "vdd33_const=255"]),
        ("sample", ["--init-data", "none"]),
        ("nodemcu-3.0-2021", ["--init-data", "v08", "--filesystem", "fs.bin"]),
    ],
)
def test_a_full_image_comes_back(
    folder: Path, put: Put, imgtool: Command, firmware: str, words: list[str]
) -> None:
    put("nodemcu.bin", aggregate(firmware))
    put("fs.bin", "spiffs/linear.bin")
    imgtool("fullimage", "--size", "1MB", "nodemcu.bin", "-o", "full.bin", *words)
    imgtool("extract", "full.bin", "-o", "parts")
    run = imgtool("fullimage", "--size", "1MB", "parts", "-o", "again.bin")

    assert (run.code, (folder / "again.bin").read_bytes()) == (0, (folder / "full.bin").read_bytes())


def test_init_data_of_a_folder_can_be_another(folder: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    imgtool("extract", "dump.bin", "-o", "parts")
    imgtool("fullimage", "--size", "4MB", "parts", "-o", "kept.bin")
    imgtool("fullimage", "--size", "4MB", "parts", "-o", "new.bin", "--init-data", "v08")

    data = {name: (folder / name).read_bytes()[0x3FB000:0x3FD000] for name in ("kept.bin", "new.bin")}
    assert data["kept.bin"][0x1000:] == IMAGES[DUMP][0x3FC000:0x3FD000]
    assert data["new.bin"][0x1000:0x1080] == IMAGES["init-data/v08.bin"]
    assert data["kept.bin"][:0x1000] == b"\xff" * 0x1000


def test_a_changed_part_of_a_full_image_is_named(parts: Path, imgtool: Command) -> None:
    path = parts / "0x10000-irom.bin"
    path.write_bytes(path.read_bytes()[:-4] + b"edit")
    run = imgtool("fullimage", "--size", "1MB", "parts", "-o", "full.bin", "--json")

    assert "part-changed" in [f["code"] for f in json.loads(run.out)["results"][0]["findings"]]


# --- single parts ---


@pytest.mark.parametrize("name", ["irom", "0x10000", "64K"])
def test_one_part(folder: Path, put: Put, imgtool: Command, name: str) -> None:
    put("nodemcu.bin", aggregate("sample"))
    run = imgtool("extract", "nodemcu.bin", "--part", name, "-o", "irom.bin")

    assert (run.code, (folder / "irom.bin").read_bytes()) == (0, IMAGES["sample/0x10000.bin"])


def test_init_data_is_trimmed_and_said(folder: Path, put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    run = imgtool("extract", "dump.bin", "--part", "init-data", "-o", "init.bin", "--json")
    document = json.loads(run.out)

    assert (folder / "init.bin").read_bytes() == IMAGES[DUMP][0x3FC000:0x3FC080]
    assert [finding["code"] for finding in document["results"][0]["findings"]] == ["trimmed"]
    assert document["results"][0]["parts"][0]["bytes"] == 128


@pytest.mark.parametrize(
    ("name", "words"),
    [("dumps/nodemcu-3-used-4m.bin", "SPIFFS0"), ("rtos3/partitions.bin", "phy_init")],
)
def test_entries_of_a_partition_table(put: Put, imgtool: Command, name: str, words: str) -> None:
    put("it.bin", name)
    run = imgtool("extract", "it.bin", "--part", "partition-table", "-o", "t.bin")
    document = json.loads(
        imgtool("extract", "it.bin", "--part", "partition-table", "-o", "t.bin", "--json").out
    )

    assert words in run.out
    part = document["results"][0]["parts"][0]
    entries = part.get("entries") or part.get("partitions")
    assert words in [entry.get("name") or entry["label"] for entry in entries]


def test_a_part_that_is_not_there(put: Put, folder: Path, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    run = imgtool("extract", "dump.bin", "--part", "spiffs-2", "-o", "x.bin", "--json")
    error = json.loads(run.err)["error"]

    assert (run.code, error["type"], (folder / "x.bin").exists()) == (2, "UsageError", False)
    assert error["expected"].startswith("image-v1 (0x00000), irom (0x10000), spiffs (0x30000)")


def test_a_segment(folder: Path, put: Put, imgtool: Command) -> None:
    data = put("image.bin", "sample/0x00000.bin").read_bytes()
    run = imgtool("extract", "image.bin", "--segment", "1", "-o", "s.bin")

    assert (run.code, (folder / "s.bin").read_bytes()) == (0, data[0x6018 : 0x6018 + 2304])
    assert "0x3ffe8000 (DRAM)" in run.out


@pytest.mark.parametrize("word", ["image-v1-2:0", "0x96a10:0"])
def test_a_segment_of_one_of_several_images(folder: Path, put: Put, imgtool: Command, word: str) -> None:
    data = put("dump.bin", "dumps/sdk-boot-2-slots-1m.bin").read_bytes()
    imgtool("extract", "dump.bin", "--segment", word, "-o", "s.bin")

    assert (folder / "s.bin").read_bytes() == data[0x96A20 : 0x96A20 + 28800]


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("sample/0x00000.bin", "3", "0 to 2"),
        ("sample/0x00000.bin", "-1", "0 to 2"),
        ("sample/0x00000.bin", "x", "0 to 2"),
        ("sample/0x00000.bin", "image-v1:", "0 to 2"),
        ("dumps/sdk-boot-2-slots-1m.bin", "0", "bootloader:N, image-v1:N, image-v1-2:N"),
        ("dumps/sdk-boot-2-slots-1m.bin", "irom:0", "bootloader:N, image-v1:N, image-v1-2:N"),
        ("dumps/nodemcu-2.2-4m.bin", "nothing:0", "image-v1 (0x00000), irom (0x10000)"),
        ("spiffs/linear.bin", "0", "an image"),
    ],
)
def test_a_segment_that_is_not_there(put: Put, imgtool: Command, name: str, word: str, expected: str) -> None:
    put("it.bin", name)
    run = imgtool("extract", "it.bin", f"--segment={word}", "-o", "s.bin", "--json")

    assert (run.code, json.loads(run.err)["error"]["expected"].startswith(expected)) == (2, True)


# --- words, outputs ---


@pytest.mark.parametrize(
    "words",
    [
        ["--part", "irom"],
        ["--segment", "0"],
        ["--to-elf"],
        ["--segment", "0", "--part", "irom", "-o", "x"],
        ["--segment", "0", "--to-elf", "-o", "x"],
        ["--irom-address", "0x40210000", "-o", "x"],
        ["--to-elf", "--irom-address", "there", "-o", "x"],
        ["--part", "0xzz", "-o", "x"],
        ["-o", "nodemcu.bin"],
        ["--part", "irom", "-o", "nodemcu.bin"],
        ["--segment", "0", "-o", "nodemcu.bin"],
        ["--to-elf", "-o", "nodemcu.bin"],
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense(whole: bytes, folder: Path, imgtool: Command, words: list[str]) -> None:
    run = imgtool("extract", "nodemcu.bin", *words)

    assert (run.code, run.out, contents(folder)) == (2, "", {"nodemcu.bin": whole})


def test_the_input_is_not_overwritten_by_a_part(folder: Path, put: Put, imgtool: Command) -> None:
    data = put("parts/0x10000-irom.bin", aggregate("sample")).read_bytes()
    run = imgtool("extract", "parts/0x10000-irom.bin", "-o", "parts")

    assert (run.code, contents(folder / "parts")) == (2, {"0x10000-irom.bin": data})


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights there")
@pytest.mark.parametrize("name", ["0x10000-irom.bin", "imgtool-manifest.json"])
def test_nothing_is_written_through_a_link_out_of_the_folder(
    whole: bytes, folder: Path, imgtool: Command, name: str
) -> None:
    assert whole
    (folder / "parts").mkdir()
    (folder / "outside.bin").write_bytes(b"mine")
    (folder / "parts" / name).symlink_to("../outside.bin")
    run = imgtool("extract", "nodemcu.bin", "-o", "parts")

    assert (run.code, (folder / "outside.bin").read_bytes(), len(contents(folder / "parts"))) == (
        2,
        b"mine",
        1,
    )


def test_empty_file(put: Put, imgtool: Command) -> None:
    put("empty.bin", b"")

    assert imgtool("extract", "empty.bin").code == 3


def test_content_is_said(put: Put, imgtool: Command) -> None:
    put("it.bin.gz", "gzip/sample.bin.gz")
    run = imgtool("extract", "it.bin.gz", "-o", "parts")
    document = json.loads(imgtool("extract", "it.bin.gz", "--json").out)

    assert "of what is inside the gzip file" in " ".join(run.out.split())
    assert (document["results"][0]["kind"], document["results"][0]["wrapper"]) == ("image-v1", "gzip")


def test_json_of_a_folder(whole: bytes, imgtool: Command) -> None:
    assert whole
    document = json.loads(imgtool("extract", "nodemcu.bin", "-o", "parts", "--json").out)
    (result,) = document["results"]

    assert (document["command"], document["ok"], result["written"]) == ("extract", True, True)
    assert (result["output"], result["manifest"]) == ("parts", str(Path("parts/imgtool-manifest.json")))
    assert [(p["name"], p["kind"], p["offset"], p["size"], p["path"]) for p in result["parts"]] == [
        ("image-v1", "image-v1", 0, 34096, str(Path("parts/0x00000-image-v1.bin"))),
        ("irom", "irom", 0x10000, 120244, str(Path("parts/0x10000-irom.bin"))),
    ]


# --- ELF ---


def test_to_elf(whole: bytes, folder: Path, imgtool: Command) -> None:
    assert whole
    run = imgtool("extract", "nodemcu.bin", "--to-elf", "-o", "it.elf")
    executable = Executable.parse((folder / "it.elf").read_bytes())

    assert (run.code, executable.entry, executable.sections[-1].address) == (0, 0x40100004, 0x40210000)
    assert [line.split()[:3] for line in run.out.splitlines()[2:]] == [
        [".iram", "AX", "0x40100000"],
        [".dram", "AW", "0x3ffe8000"],
        [".dram.2", "AW", "0x3ffe8900"],
        [".irom0.text", "AX", "0x40210000"],
    ]


def test_to_elf_of_a_part_at_another_address(folder: Path, put: Put, imgtool: Command) -> None:
    put("user2.bin", "v2/user2.bin")
    words = ["extract", "user2.bin", "--to-elf", "-o", "it.elf", "--json"]
    document = json.loads(imgtool(*words, "--part", "irom", "--irom-address", "0x40281010").out)

    assert document["results"][0]["entry"] == 0x40281010
    assert document["results"][0]["sections"] == [
        {"name": ".irom0.text", "address": 0x40281010, "size": 88576, "flags": "AX", "from": "irom"}
    ]
    assert Executable.parse((folder / "it.elf").read_bytes()).symbols[0].name == "irom0_start"


@pytest.mark.parametrize(
    ("name", "part"), [("init-data/v05.bin", None), (DUMP, "spiffs"), ("lfs/lfs-5.1.img", None)]
)
def test_to_elf_of_what_has_no_code(
    put: Put, folder: Path, imgtool: Command, name: str, part: str | None
) -> None:
    put("it.bin", name)
    run = imgtool("extract", "it.bin", "--to-elf", "-o", "it.elf", *(["--part", part] if part else []))

    assert (run.code, run.out, (folder / "it.elf").exists(), "no code" in run.err) == (3, "", False, True)


def test_objdump_takes_it(whole: bytes, folder: Path, imgtool: Command) -> None:
    assert whole
    program = shutil.which("xtensa-lx106-elf-objdump")
    if program is None:
        pytest.skip("xtensa-lx106-elf-objdump is not installed (Debian: binutils-xtensa-lx106)")
    imgtool("extract", "nodemcu.bin", "--to-elf", "-o", "it.elf")
    done = subprocess.run(
        [program, "-x", "-d", folder / "it.elf"], capture_output=True, text=True, check=True
    )

    assert (done.stderr, "<_start>:" in done.stdout, "<irom0_start>:" in done.stdout) == ("", True, True)


@pytest.mark.parametrize("address", ["0x40100000", "0", "0x40210001", "0xfffffff0", "-1"])
def test_an_address_at_which_no_irom_runs_is_wrong_usage(put: Put, imgtool: Command, address: str) -> None:
    put("irom.bin", "sample/0x10000.bin")

    run = imgtool("extract", "irom.bin", "--to-elf", f"--irom-address={address}", "-o", "out.elf")

    assert run.code == 2
