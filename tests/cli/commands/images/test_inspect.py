from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support import IMAGES, Command, Put, aggregate, corpus_folder

OLD_RELEASE = "aggregated/sample-with-sdk-sectors.bin"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sample/0x00000.bin", 0),
        ("sample/0x10000.bin", 0),
        (OLD_RELEASE, 0),
        ("v2/user1.bin", 0),
        ("blank.bin", 0),
        ("init-data/v05.bin", 0),
        ("lfs/lfs-5.1.img", 0),
        ("spiffs/linear.bin", 0),
        ("broken/trailing.bin", 0),
        ("v2/bad-crc.bin", 1),
        ("broken/bad-checksum.bin", 1),
        ("broken/cut-in-segment.bin", 1),
        ("broken/cut-before-checksum.bin", 1),
        ("broken/header-only.bin", 1),
        ("broken/seventeen-segments.bin", 1),
        ("broken/cut-v2-irom.bin", 1),
        ("init-data/bad-marker.bin", 1),
    ],
)
def test_exit_code(put: Put, imgtool: Command, name: str, code: int) -> None:
    put("file.bin", name)

    assert imgtool("inspect", "file.bin").code == code


@pytest.mark.parametrize(
    "content", [b"", b"hello, world", bytes(range(256)) * 4], ids=["empty", "text", "bytes"]
)
def test_what_is_no_esp8266_file_is_3_with_its_result(put: Put, imgtool: Command, content: bytes) -> None:
    put("file.bin", content)
    run = imgtool("inspect", "file.bin")

    assert (run.code, run.out.splitlines()[0], run.err) == (3, "file.bin", "")


@pytest.mark.usefixtures("folder")
def test_missing_file_is_2(imgtool: Command) -> None:
    run = imgtool("inspect", "missing.bin")

    assert (run.code, run.out, "missing.bin cannot be read" in run.err) == (2, "", True)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["blank.bin", "sample/0x00000.bin"], 0),
        (["broken/bad-checksum.bin", "blank.bin"], 1),
        (["broken/bad-checksum.bin", "text", "blank.bin"], 3),
    ],
)
def test_over_several_files_the_highest_code(put: Put, imgtool: Command, names: list[str], code: int) -> None:
    files = [put(f"{number}.bin", IMAGES.get(name, b"text")) for number, name in enumerate(names)]

    assert imgtool("inspect", *files).code == code


def test_several_files_are_all_shown(put: Put, imgtool: Command) -> None:
    put("a.bin", "blank.bin")
    put("b.bin", "sample/0x00000.bin")
    lines = [line.split() for line in imgtool("inspect", "a.bin", "b.bin").out.splitlines()]

    assert [line[::2] for line in lines if line and line[0].endswith(".bin")] == [
        ["a.bin", "blank"],
        ["b.bin", "image-v1"],
    ]


def test_a_folder_is_walked_when_asked(folder: Path, put: Put, imgtool: Command) -> None:
    put("images/below/a.bin", "blank.bin")
    put("images/b.bin", "sample/0x00000.bin")
    results = json.loads(imgtool("inspect", "-r", folder / "images", "--json").out)["results"]

    assert [Path(result["path"]).name for result in results] == ["b.bin", "a.bin"]


def test_a_folder_is_a_usage_error_otherwise(folder: Path, imgtool: Command) -> None:
    run = imgtool("inspect", folder)

    assert (run.code, run.out) == (2, "")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_several_jobs_say_the_same(put: Put, imgtool: Command, jobs: str) -> None:
    files = [put(f"{number}.bin", "sample/0x00000.bin") for number in range(3)]

    assert imgtool("inspect", *files, "-j", jobs) == imgtool("inspect", *files)


@pytest.mark.parametrize("alias", ["image-info"])
def test_esptools_name(put: Put, imgtool: Command, alias: str) -> None:
    put("file.bin", "sample/0x00000.bin")

    assert imgtool(alias, "file.bin") == imgtool("inspect", "file.bin")


# What the answer for people must hold, one line of the issue each.
LINES = {
    "kind": "aggregated firmware image, 520,192 bytes (508 KB): all checks hold",
    "firmware": "firmware  NodeMCU 2.2.0, build 20190301, Lua 5.1.4",
    "sdk": "SDK       2.2.1(6ab97e9)",
    "header": "header    dio, 40m, 512KB, entry point 0x40100004",
    "part": "0x000000   34,096  image-v1      3 segments",
    "irom": "0x010000  120,243  irom          at 0x40210000",
    "behind": "0x02d5b3  318,029  gap           filled with 0x00",
    "init-data": "0x07c000    4,096  init-data     set SDK 0.9",
    "segment": "0  0x40100000    24,576  IRAM    0x000010",
    "checksum": "XOR of image-v1  0xfe    0xfe      holds",
}


@pytest.mark.parametrize("line", LINES)
def test_answer(put: Put, imgtool: Command, line: str) -> None:
    put("old.bin", OLD_RELEASE)
    lines = [text.strip() for text in imgtool("inspect", "old.bin").out.splitlines()]

    assert LINES[line] in lines


def test_uncovered_irom_is_said(put: Put, imgtool: Command) -> None:
    put("old.bin", OLD_RELEASE)

    assert "a changed byte in it, or a small cut" in imgtool("inspect", "old.bin").out


def test_wrong_checksum_is_shown_with_both_values(put: Put, imgtool: Command) -> None:
    put("bad.bin", "broken/bad-checksum.bin")
    lines = [text.strip() for text in imgtool("inspect", "bad.bin").out.splitlines()]

    assert "XOR of image-v1  0xa4    0xfe      WRONG" in lines


def test_wrong_crc_is_shown_with_both_values(put: Put, imgtool: Command) -> None:
    put("bad.bin", "v2/bad-crc.bin")

    assert "0x14425e25  0x02c38d81  WRONG" in imgtool("inspect", "bad.bin").out


def test_partition_table_is_shown(put: Put, imgtool: Command) -> None:
    put("nodemcu.bin", aggregate("nodemcu-3.0-2021"))
    lines = [text.split() for text in imgtool("inspect", "nodemcu.bin").out.splitlines()]

    assert ["init", "data", "0x00f000", "0x001000"] in lines


def test_what_the_first_boot_fills_into_a_partition_table_is_in_words(put: Put, imgtool: Command) -> None:
    put("nodemcu.bin", aggregate("nodemcu-3.0-2021"))
    lines = [" ".join(text.split()) for text in imgtool("inspect", "nodemcu.bin").out.splitlines()]

    assert "irom 0x010000 by the first boot" in lines
    assert "SPIFFS0 by the first boot the rest" in lines
    assert not any("0xffffffff" in line for line in lines)


def test_fields_of_init_data_are_shown(put: Put, imgtool: Command) -> None:
    put("init.bin", "init-data/v05.bin")
    lines = [text.split()[:3] for text in imgtool("inspect", "init.bin").out.splitlines()]

    assert ["target_power_qdb_0", "20.50", "dBm"] in lines


def test_flash_size_of_an_rtos_sdk_application_is_by_its_own_table(put: Put, imgtool: Command) -> None:
    put("file.bin", "rtos3/app.bin")

    assert "  header    dio, 40m, 2MB, entry point" in imgtool("inspect", "file.bin").out


def test_json(put: Put, imgtool: Command) -> None:
    put("old.bin", OLD_RELEASE)
    run = imgtool("inspect", "--json", "old.bin")

    (result,) = json.loads(run.out)["results"]
    assert (run.code, result["path"], result["size"], result["kind"], result["ok"]) == (
        0,
        "old.bin",
        520192,
        "aggregated",
        True,
    )
    assert result["sha256"] == hashlib.sha256(IMAGES[OLD_RELEASE]).hexdigest()


def test_json_of_firmware_and_header(put: Put, imgtool: Command) -> None:
    put("old.bin", OLD_RELEASE)
    (result,) = json.loads(imgtool("inspect", "--json", "old.bin").out)["results"]

    firmware, header = result["firmware"], result["header"]
    assert [firmware[key] for key in ("name", "version", "sdk", "build")] == [
        "NodeMCU",
        "2.2.0",
        "2.2.1(6ab97e9)",
        "20190301",
    ]
    assert [header[key] for key in ("version", "entry", "mode", "freq", "size")] == [
        1,
        0x40100004,
        "dio",
        "40m",
        "512KB",
    ]


def test_json_of_a_part_with_a_check(put: Put, imgtool: Command) -> None:
    put("old.bin", OLD_RELEASE)
    (result,) = json.loads(imgtool("inspect", "--json", "old.bin").out)["results"]

    part = result["parts"][0]
    assert (part["kind"], part["offset"], part["size"]) == ("image-v1", 0, 34096)
    assert {key: part["checksum"][key] for key in ("stored", "computed", "ok")} == {
        "stored": 0xFE,
        "computed": 0xFE,
        "ok": True,
    }
    assert part["segments"][0] == {"offset": 16, "size": 0x6000, "address": 0x40100000, "memory": "IRAM"}


def test_json_of_a_damaged_file(put: Put, imgtool: Command) -> None:
    put("bad.bin", "broken/bad-checksum.bin")
    run = imgtool("inspect", "--json", "bad.bin")

    document = json.loads(run.out)
    (finding,) = document["results"][0]["findings"]
    assert (run.code, document["ok"], finding["severity"], finding["code"], finding["offset"]) == (
        1,
        False,
        "error",
        "checksum",
        34095,
    )


def test_json_of_several_files_is_one_document(put: Put, imgtool: Command) -> None:
    put("a.bin", "blank.bin")
    put("b.bin", b"text")
    run = imgtool("inspect", "a.bin", "b.bin", "--json")

    results = json.loads(run.out)["results"]
    assert (run.code, [result["path"] for result in results]) == (3, ["a.bin", "b.bin"])


def test_real_images_give_no_traceback(imgtool: Command) -> None:
    files = sorted(path for path in corpus_folder().rglob("*") if path.is_file())
    runs = {path.name: imgtool("inspect", path) for path in files}

    assert {name: run.err for name, run in runs.items() if run.code not in (0, 1, 3) or run.err} == {}


def test_absolute_and_relative_paths_in_one_table(put: Put, imgtool: Command) -> None:
    absolute = put("one.bin", "init-data/v05.bin").resolve()
    put("two.bin", "blank.bin")
    run = imgtool("inspect", absolute, "two.bin")

    assert (run.code, "two.bin" in run.out, "2 files: 2 good" in run.out) == (0, True, True)


def test_a_folder_is_walked_with_and_without_an_option(put: Put, imgtool: Command) -> None:
    put("folder/below/one.bin", "blank.bin")

    plain, asked = imgtool("inspect", "folder"), imgtool("inspect", "-r", "folder")
    assert (plain.code, "one.bin" in plain.out, plain.out) == (0, True, asked.out)


def test_workers_say_the_same(put: Put, imgtool: Command) -> None:
    for name in ("init-data/v05.bin", "blank.bin", "v2/user1.bin"):
        put(f"folder/{name}", name)

    assert imgtool("inspect", "-r", "folder", "-j", "2").out == imgtool("inspect", "-r", "folder").out


DUMP = "dumps/sdk-boot-2-slots-1m.bin"
ON_THIS_FLASH = [
    "on this flash",
    "starts      user2 at 0x081000: the flags name user2",
    "init data   0x0fc000: set v05",
    "RF cal      0x0fb000: plausible, 526 bytes used",
    "parameters  0x0fd000: two equal copies, network stored (not shown)",
]


def test_what_is_on_a_flash(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    lines = [text.strip() for text in imgtool("inspect", "dump.bin").out.splitlines()]

    start = lines.index(ON_THIS_FLASH[0])
    assert lines[start : start + len(ON_THIS_FLASH)] == ON_THIS_FLASH


def test_every_deviation_of_init_data_is_a_line(put: Put, imgtool: Command) -> None:
    put("dump.bin", "dumps/nodemcu-2.2-4m.bin")

    assert "vdd33_const: 0 -> 255" in imgtool("inspect", "dump.bin").out


def test_state_in_json(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    (result,) = json.loads(imgtool("inspect", "--json", "dump.bin").out)["results"]

    assert result["state"]["active_slot"]["name"] == "user2"
    assert result["state"]["system_param"]["network_stored"] is True
    assert "networks" not in result


def test_an_image_has_no_state(put: Put, imgtool: Command) -> None:
    put("image.bin", aggregate("sample"))

    assert "state" not in json.loads(imgtool("inspect", "--json", "image.bin").out)["results"][0]


@pytest.mark.parametrize("shown", [False, True])
def test_credentials_only_for_who_asks(put: Put, imgtool: Command, shown: bool) -> None:
    put("dump.bin", DUMP)
    option = ["--show-credentials"] if shown else []
    text = imgtool("inspect", "dump.bin", *option).out
    document = imgtool("inspect", "--json", "dump.bin", *option).out

    assert ["hunter2hunter2" in out and "SecretNetwork" in out for out in (text, document)] == [shown, shown]


def test_credentials_of_several_files(put: Put, imgtool: Command) -> None:
    put("dump.bin", DUMP)
    put("wiped.bin", "dumps/wiped-1m.bin")
    run = imgtool("inspect", "dump.bin", "wiped.bin", "--show-credentials")

    assert "no network is seen" in run.out
    assert "hunter2hunter2" in run.out
