from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imgtool.cli.show.flash_map import draw_map
from imgtool.formats.reading import FileKind, Part, PartKind
from tests import boot_logs
from tests.support import IMAGES, Command, Put, aggregate

Script = Callable[..., subprocess.CompletedProcess[bytes]]

PAIRS = ["sample", "nodemcu-0.9.5", "nodemcu-1.5.4.1-cloud", "nodemcu-3.0-2019", "nodemcu-3.0-2021"]
HELPS = [
    [],
    ["inspect"],
    ["merge"],
    ["split"],
    ["fullimage"],
    ["build"],
    ["patch"],
    ["extract"],
    ["compare"],
    ["advise"],
    ["image-info"],
    ["merge-bin"],
    ["elf2image"],
]
# Contract section 5.
PART_KINDS = frozenset(
    [
        "image-v1",
        "image-v2",
        "irom",
        "gap",
        "bootloader",
        "rboot-config",
        "app",
        "init-data",
        "rf-cal",
        "system-param",
        "partition-table",
        "spiffs",
        "littlefs",
        "lfs",
        "blank",
        "crc-tail",
        "md5-tail",
        "sha256-tail",
        "length-crc-words",
        "user-data",
        "unknown",
    ]
)


def too_wide(text: str, *names: str) -> list[str]:
    """Lines that do not fit; a name that is longer than a line stands alone on one, and whole."""
    wide = [line.strip() for line in text.splitlines() if len(line) > 80]
    return [line for line in wide if line not in names and line[:-1] not in names]


def unclean(text: str) -> list[str]:
    """Lines with trailing blanks, escape codes or an ellipsis where something was cut off."""
    return [line for line in text.splitlines() if line != line.rstrip() or "\x1b" in line or "\u2026" in line]


@pytest.fixture
def any_folder(folder: Path, put: Put, request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    put("0x00000.bin", f"{name}/0x00000.bin")
    put("0x10000.bin", f"{name}/0x10000.bin")
    return folder


@pytest.mark.parametrize("name", IMAGES)
def test_inspect_fits_80_columns(put: Put, imgtool: Command, name: str) -> None:
    put("file.bin", name)
    out = imgtool("inspect", "file.bin").out

    assert (too_wide(out), unclean(out)) == ([], [])


@pytest.mark.parametrize("name", PAIRS)
def test_inspect_of_an_aggregated_image_fits(put: Put, imgtool: Command, name: str) -> None:
    put("file.bin", aggregate(name))
    out = imgtool("inspect", "file.bin").out

    assert (too_wide(out), unclean(out)) == ([], [])


@pytest.mark.parametrize("any_folder", PAIRS, indirect=True)
@pytest.mark.parametrize(
    "arguments",
    [
        ["merge", ".", "-o", "out.bin"],
        ["fullimage", "--size", "2MB"],
        ["fullimage", "--size", "4MB", "-o", "long-name-of-a-file-" * 5 + ".bin"],
        ["fullimage", "--size", "256KB"],
        ["fullimage", "--size", "2MB", "--lfs", "0x10000.bin"],
        ["fullimage", "--size", "2MB", "--set", "nonsense=1"],
        ["merge", "missing-" * 20, "-o", "out.bin"],
    ],
    ids=["merge", "fullimage", "long-name", "refused", "wrong-lfs", "wrong-field", "long-missing-name"],
)
def test_making_images_fits(any_folder: Path, imgtool: Command, arguments: list[str]) -> None:
    assert any_folder.is_dir()
    run = imgtool(*arguments)

    assert (too_wide(run.out + run.err, *arguments), unclean(run.out)) == ([], [])


@pytest.mark.parametrize("name", PAIRS)
def test_split_fits(put: Put, imgtool: Command, name: str) -> None:
    put("file.bin", aggregate(name, fill=0))
    name_of_folder = "long-name-of-a-folder-" * 4
    run = imgtool("split", "file.bin", "-o", name_of_folder)

    assert (too_wide(run.out + run.err, name_of_folder), unclean(run.out)) == ([], [])


@pytest.mark.parametrize("command", HELPS, ids=lambda words: " ".join(words) or "imgtool")
def test_help_fits(imgtool: Command, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = imgtool(*command, "--help")

    assert (run.code, too_wide(run.out), "\u2026" in run.out) == (0, [], False)


@pytest.mark.parametrize(
    "command", ["inspect", "merge", "split", "fullimage", "build", "patch", "extract", "compare", "advise"]
)
def test_help_has_an_example(imgtool: Command, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert f"Example: imgtool {command}" in imgtool(command, "--help").out


def test_help_lists_the_commands_and_not_the_aliases(imgtool: Command) -> None:
    out = imgtool("--help").out

    assert [
        word in out for word in ("inspect", "merge", "split", "fullimage", "image-info", "merge-bin")
    ] == [
        True,
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("name", ["firmware", "path"])
def test_escape_codes_in_a_file_do_not_reach_the_terminal(put: Put, imgtool: Command, name: str) -> None:
    banner = b"NodeMCU 2.2.0\n\tbranch: \x1b[31mred\x1b]0;title\x07\n\tcommit: a\rb\n powered by Lua 5.1.4\0"
    data = aggregate("sample") + banner.ljust(400, b"\0")
    data = data.replace(b"NodeMCU 2.2.0 build 2019", b"\0" * 24)
    put("\x1b[31mred.bin" if name == "path" else "plain.bin", data)
    run = imgtool("inspect", "\x1b[31mred.bin" if name == "path" else "plain.bin")

    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f]", run.out) == []


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_the_same_file_gives_the_same_words(put: Put, imgtool: Command, option: list[str]) -> None:
    put("file.bin", aggregate("sample"))

    assert imgtool("inspect", "file.bin", *option) == imgtool("inspect", "file.bin", *option)


# --- the map ---


def cells(size: int, *parts: Part, unicode: bool = False) -> list[str]:
    drawn = draw_map(parts, size, unicode=unicode)
    return ["".join(text for text, _ in runs) for _, runs in drawn.rows]


def test_map_is_drawn_to_scale() -> None:
    half = Part(PartKind.IMAGE_V1, 0, 0x80000)
    quarter = Part(PartKind.IROM, 0x80000, 0x40000)
    rest = Part(PartKind.BLANK, 0xC0000, 0x40000)

    text = "".join(cells(0x100000, half, quarter, rest))
    assert [text.count(mark) for mark in "#+."] == [256, 128, 128]


@pytest.mark.parametrize("address", [0x0FB000, 0x0FC000, 0x010000])
def test_small_parts_do_not_vanish(address: int) -> None:
    before = Part(PartKind.IROM, 0, address)
    small = Part(PartKind.INIT_DATA, address, 128)
    behind = Part(PartKind.BLANK, address + 128, 0x1000000 - address - 128)

    assert "I" in "".join(cells(0x1000000, before, small, behind))


@pytest.mark.parametrize("size", [1, 16, 17, 1024, 4096, 0x7F000, 0x100000, 0x1000000, 0x1000001])
def test_map_covers_the_file_in_at_most_eight_rows(size: int) -> None:
    drawn = draw_map([Part(PartKind.BLANK, 0, size)], size)

    count = sum(len(text) for _, runs in drawn.rows for text, _ in runs)
    assert (len(drawn.rows) <= 8, count) == (True, -(-size // drawn.cell))


def test_rows_begin_where_they_say() -> None:
    drawn = draw_map([Part(PartKind.BLANK, 0, 0x100000)], 0x100000)

    assert [start for start, _ in drawn.rows] == [row * 64 * drawn.cell for row in range(len(drawn.rows))]


@pytest.mark.parametrize("unicode", [True, False])
def test_every_kind_of_part_has_a_mark(unicode: bool) -> None:
    for kind in PartKind:
        assert "".join(cells(16, Part(kind, 0, 16), unicode=unicode)).strip() != ""


def test_plain_map_is_ascii() -> None:
    assert "".join("".join(cells(16, Part(kind, 0, 16))) for kind in PartKind).isascii()


# --- JSON ---


def check_part(part: dict[str, Any]) -> None:
    assert {"kind", "offset", "size"} <= set(part)
    assert part["kind"] in PART_KINDS
    assert isinstance(part.get("address", 0), int)
    if "checksum" in part:
        assert {"stored", "computed", "ok"} <= set(part["checksum"])
        assert part["checksum"]["ok"] is (part["checksum"]["stored"] == part["checksum"]["computed"])


def check_finding(finding: dict[str, Any]) -> None:
    assert {"severity", "code", "message"} <= set(finding) <= {"severity", "code", "message", "offset"}
    assert finding["severity"] in ("error", "warning", "note")
    assert finding["message"] == finding["message"].strip()


@pytest.mark.parametrize("name", IMAGES)
def test_shape_of_a_json_result(put: Put, imgtool: Command, name: str) -> None:
    put("file.bin", name)
    run = imgtool("inspect", "--json", "file.bin")

    document = json.loads(run.out)
    assert list(document) == ["schema", "command", "ok", "results", "warnings"]
    assert (document["schema"], document["command"], run.err) == (1, "inspect", "")
    (result,) = document["results"]
    assert {"path", "size", "sha256", "kind", "ok", "firmware", "header", "parts", "findings"} <= set(result)
    assert result["kind"] in {str(kind) for kind in FileKind}
    assert (
        result["firmware"] is None or {"name", "version", "sdk", "build"} <= set(result["firmware"])
    ) is True
    assert result["header"] is None or {"version", "entry", "mode", "freq", "size"} <= set(result["header"])
    assert result["ok"] is not any(finding["severity"] == "error" for finding in result["findings"])
    assert document["ok"] is result["ok"]
    for part in result["parts"]:
        check_part(part)
    for finding in result["findings"]:
        check_finding(finding)


def test_json_is_ascii_whatever_the_name(put: Put, script: Script) -> None:
    path = put("na\u00efve.bin", "blank.bin")
    done = script("inspect", "--json", path.name, environment={"PYTHONIOENCODING": "ascii"})

    assert (done.returncode, json.loads(done.stdout)["results"][0]["path"]) == (0, "na\u00efve.bin")


# --- the installed script ---


def test_script_merges(pair: Path, script: Script) -> None:
    done = script("merge", "0x00000.bin", "0x10000.bin", "-o", "nodemcu.bin")

    assert (done.returncode, done.stderr, (pair / "nodemcu.bin").read_bytes() == aggregate("sample")) == (
        0,
        b"",
        True,
    )


def test_script_says_its_version(script: Script) -> None:
    done = script("--version")

    assert (done.returncode, done.stdout.startswith(b"imgtool ")) == (0, True)


def test_script_reports_damage(put: Put, script: Script) -> None:
    put("file.bin", "broken/bad-checksum.bin")
    done = script("inspect", "file.bin")

    assert (done.returncode, done.stderr) == (1, b"")


JSON_PAGE = Path(__file__).parents[3] / "docs" / "json.md"
CRASH = (
    "Exception (28):\nepc1=0x402103f4 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 depc=0x00000000\n"
    ">>>stack>>>\n\nctx: cont\nsp: 3ffffdb0 end: 3fffffc0 offset: 0190\n"
    "3fffff40:  3ffee480 40201c55 feefeffe 4000050c\n<<<stack<<<\nlast failed alloc call: 40201234(1024)\n"
)
OF_EVERY_KIND = (
    "dumps/rboot-1m.bin",
    "dumps/rtos3-1m.bin",
    "dumps/sdk-boot-1m.bin",
    "dumps/sdk-boot-bad-slot-1m.bin",
    "elf/app.elf",
    "esp32/flash.bin",
    "espfs/web.espfs",
    "gzip/sample.bin.gz",
    "hex/sample.hex",
    "micropython/micropython.bin",
    "nodemcu-3.0-2021/0x10000.bin",
    "text/page.bin",
    "tuya/ota.bin",
)
"""Files whose parts say more than kind, offset and size."""
NAMES_FROM_THE_INPUT = {"fields", "registers", "firmware"}  # objects whose names the file has


def json_fields(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every field in a document with the name of the object that it stands in."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}", inner
            if name not in NAMES_FROM_THE_INPUT or isinstance(inner, list):
                yield from json_fields(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from json_fields(inner, path)


@pytest.fixture
def documents(put: Put, imgtool: Command) -> list[tuple[str, object]]:
    """The fields of a document of each command that looks at dumps, upgrades and logs."""
    old, new = "dumps/nodemcu-2.2-4m.bin", "nodemcu-3.0-2021/0x00000.bin"
    log = boot_logs.BANNER + boot_logs.LOADED + boot_logs.MB4 + boot_logs.RF + boot_logs.SDK
    put("old.bin", old)
    put("0x00000.bin", new)
    put("0x10000.bin", "nodemcu-3.0-2021/0x10000.bin")
    put("boot.log", log.encode())
    put("crash.log", CRASH.encode())
    put("app.elf", "elf/app.elf")
    runs = [
        [
            "inspect",
            "--show-credentials",
            "old.bin",
            *(str(put(name.replace("/", "-"), name)) for name in OF_EVERY_KIND),
        ],
        ["extract", "old.bin", "--files", "-o", "files"],
        ["advise", "old.bin", "."],
        ["explain", "boot.log"],
        ["explain", "crash.log", "--elf", "app.elf"],
        ["monitor", "-p", "sim:1MB", "--seconds", "1"],
    ]
    made = []
    for words in runs:
        run = imgtool(*words, "--json")
        made += [(words[0] + path, value) for path, value in json_fields(json.loads(run.out))]
    return made


def test_every_field_of_the_json_is_described(documents: list[tuple[str, object]]) -> None:
    described = set(re.findall(r"`(\w+)`", JSON_PAGE.read_text(encoding="utf-8")))

    assert len(documents) > 1000
    assert sorted({path for path, _ in documents if path.rpartition(".")[2] not in described}) == []


def test_numbers_are_numbers_and_hex_is_lower_case(documents: list[tuple[str, object]]) -> None:
    texts = [(path, value) for path, value in documents if isinstance(value, str)]
    words = re.compile(r"\d+|(0x)?(?=.*[A-F])[\dA-F]{4,}")
    free = ("text", "reason", "message", "title", "name", "version", "ssid", "password", "found", "expected")

    assert [row for row in texts if words.fullmatch(row[1]) and not row[0].endswith(free)] == []


def test_a_field_has_one_type(documents: list[tuple[str, object]]) -> None:
    several = {"inspect.results.parts.blocks", "inspect.results.parts.checksum.stored"}
    several |= {"inspect.results.parts.checksum.computed"}  # strings for more than 32 bits
    types: dict[str, set[str]] = {}
    for path, value in documents:
        if value is not None:
            types.setdefault(path, set()).add(type(value).__name__)

    assert {path: kinds for path, kinds in types.items() if len(kinds) > 1 and path not in several} == {}
