"""Intel HEX, S-record and UF2: what holds for all three."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from imgtool.errors import FormatError
from imgtool.formats.containers import intel_hex, srecord, uf2
from imgtool.formats.containers.blocks import Block, merged
from imgtool.formats.reading import FileKind, Severity
from imgtool.formats.registry import identify
from tests.strategies import block_lists

FORMATS = [intel_hex, srecord, uf2]
GOOD = {
    "hex/sample.hex": FileKind.INTEL_HEX,
    "hex/sample-crlf.hex": FileKind.INTEL_HEX,
    "srec/sample.s37": FileKind.S_RECORD,
    "uf2/md5.uf2": FileKind.UF2,
    "uf2/largest.uf2": FileKind.UF2,
}
BAD = [
    ("broken/bad-checksum.hex", "checksum", "line 5: the checksum is 0x00, but the record gives 0x01"),
    ("broken/cut.hex", "cut", "it ends inside line 48"),
    ("broken/no-end.hex", "cut", "there is no end record"),
    ("hex/overlap.hex", "overlap", "address 0x00000110 is written twice"),
    ("broken/bad-checksum.s37", "checksum", "line 7: the checksum is 0x94, but the record gives 0x95"),
    ("broken/cut.s37", "cut", "there is no end record"),
    ("broken/missing-record.s37", "count", "58 data records should stand before it, there are 57"),
    ("broken/bad-md5.uf2", "md5", "block 1: its MD5 does not match"),
    ("broken/cut.uf2", "cut", "block 1 is cut short: 188 of 512 bytes"),
    ("broken/last-block-lost.uf2", "cut", "the file ends with block 4 of 5"),
    ("broken/block-lost.uf2", "missing", "block 1 is number 2 of 5, not 1 of 5"),
    ("uf2/esp32.uf2", "family", "block 0 is for another chip: its family is 0x1c5f21b0"),
]


def module_of(name: str) -> Any:  # noqa: ANN401 - one of three modules
    return {"hex": intel_hex, "s37": srecord, "uf2": uf2}[name.rpartition(".")[2]]


@pytest.mark.parametrize("name", GOOD)
def test_the_contents_are_laid_out(made: dict[str, bytes], name: str) -> None:
    reading = identify(made[name])
    assert reading.kind is GOOD[name]
    assert reading.findings == ()
    boot, irom = made["sample/0x00000.bin"][:0x4E8], made["sample/0x10000.bin"][:0x234]
    assert reading.content == boot.ljust(0x10000, b"\xff") + irom
    assert module_of(name).parse(made[name]) == (Block(0, boot), Block(0x10000, irom))
    assert reading.parts[0].facts["blocks"] == [
        {"address": 0, "size": 0x4E8},
        {"address": 0x10000, "size": 0x234},
    ]


@pytest.mark.parametrize(("name", "code", "message"), BAD)
def test_damage_is_named(made: dict[str, bytes], name: str, code: str, message: str) -> None:
    finding = identify(made[name]).findings[0]
    assert (finding.severity, finding.code) == (Severity.ERROR, code)
    assert message in finding.message
    with pytest.raises(FormatError) as caught:
        module_of(name).parse(made[name])
    assert caught.value.message == finding.message


def test_a_wide_span_is_no_memory(made: dict[str, bytes]) -> None:
    reading = identify(made["hex/far-apart.hex"])
    assert reading.content is None
    assert [f.code for f in reading.findings] == ["span"]
    assert intel_hex.parse(made["hex/far-apart.hex"]) == (Block(0, b"first"), Block(0x40200000, b"second"))


@pytest.mark.parametrize("module", FORMATS)
def test_a_huge_file_is_not_read(module: Any, made: dict[str, bytes]) -> None:  # noqa: ANN401 - a module
    name = {intel_hex: "hex/sample.hex", srecord: "srec/sample.s37", uf2: "uf2/plain.uf2"}[module]
    reading = module.read(made[name].ljust((1 << 26) + 1, b"\n"))
    assert [f.code for f in reading.findings] == ["too-large"]


@settings(max_examples=30, deadline=None)
@given(given_blocks=block_lists())
def test_uf2_with_md5_reads_back(given_blocks: tuple[Block, ...]) -> None:
    assert uf2.parse(uf2.build(given_blocks, md5=True)) == merged(given_blocks)


@pytest.mark.parametrize("module", FORMATS)
def test_any_bytes(module: Any, made: dict[str, bytes], survives: Any) -> None:  # noqa: ANN401
    suffixes = {intel_hex: ".hex", srecord: ".s37", uf2: ".uf2"}
    survives(module.read, [data for name, data in made.items() if name.endswith(suffixes[module])])


def test_uf2_is_numbered_through() -> None:
    built = uf2.build([Block(0, bytes(300)), Block(0x1000, b"end")])
    numbers = [int.from_bytes(built[at + 20 : at + 24], "little") for at in range(0, len(built), 512)]
    assert numbers == [0, 1, 2]
    assert {built[at + 24] for at in range(0, len(built), 512)} == {3}


def test_uf2_without_family_is_noted(made: dict[str, bytes]) -> None:
    assert [f.code for f in identify(made["uf2/no-family.uf2"]).findings] == ["no-family"]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([":00000001FF", ":00000001FF"], "trailing"),
        ([":020000020001FC", ":00000001FF"], "checksum"),
        ([":03000003001234B4", ":00000001FF"], "record"),
        ([":00000006FA", ":00000001FF"], "record"),
        ([":0000 0001FF00", ":00000001FF"], None),
        ([":0400000300001234B3", ":00000001FF"], "no-data"),
        ([":00000001FF"], "no-data"),
        ([":0000000"], None),
    ],
)
def test_odd_hex_records(lines: list[str], code: str | None) -> None:
    reading = intel_hex.read("\n".join(lines).encode())
    assert (None if reading is None else reading.findings[0].code) == code


def test_segment_addresses_count_in_paragraphs() -> None:
    lines = [":020000021000EC", ":02000000ABCD86", ":00000001FF"]
    assert intel_hex.parse("\n".join(lines).encode()) == (Block(0x10000, b"\xab\xcd"),)


def test_short_s_record_is_refused() -> None:
    with pytest.raises(FormatError, match="line 1: no record of that kind"):
        srecord.parse(b"S30300AA52\nS70500000000FA\n")


def run_esptool(*arguments: str) -> str:
    if find_spec("esptool") is None:
        pytest.skip("esptool is not installed")
    command = [sys.executable, "-m", "esptool", "--chip", "esp8266", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("form", ["hex", "uf2", "uf2-256", "uf2-plain"])
def test_esptool_writes_it_and_we_read_it(form: str, made: dict[str, bytes], tmp_path: Path) -> None:
    boot, irom = made["sample/0x00000.bin"], made["sample/0x10000.bin"]
    Path(tmp_path / "a").write_bytes(boot)
    Path(tmp_path / "b").write_bytes(irom)
    out = tmp_path / "out"
    extra = {"uf2-256": ["--chunk-size", "256"], "uf2-plain": ["--md5-disable"]}.get(form, [])
    options = ["-o", str(out), "-f", form.partition("-")[0], *extra]
    run_esptool("merge-bin", *options, "0x0", str(tmp_path / "a"), "0x10000", str(tmp_path / "b"))
    written = out.read_bytes()
    expected = (Block(0, boot), Block(0x10000, irom))
    if form == "hex":
        assert intel_hex.parse(written) == expected
        assert intel_hex.build(expected) == written
    else:
        assert uf2.parse(written) == expected


def test_we_write_hex_and_esptool_reads_it(made: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "boot.hex"
    file.write_bytes(intel_hex.build([Block(0, made["sample/0x00000.bin"])]))
    assert "(valid)" in run_esptool("image-info", str(file))


def test_one_file_as_uf2_is_what_esptool_writes(made: dict[str, bytes], tmp_path: Path) -> None:
    source, out = tmp_path / "boot", tmp_path / "boot.uf2"
    source.write_bytes(made["sample/0x00000.bin"])
    options = ["-o", str(out), "-f", "uf2", "--chunk-size", "256"]
    run_esptool("merge-bin", *options, "0x2000", str(source))
    assert uf2.build([Block(0x2000, source.read_bytes())], md5=True) == out.read_bytes()
