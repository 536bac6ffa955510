"""The names of virtual chips: every word, and every mistake, with its exit code on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imgtool.errors import FormatError, LayoutError, PortError
from imgtool.virtual.chip.faults import parse_plan
from imgtool.virtual.chip.machine import ChipModel
from imgtool.virtual.line.spec import SIZES, Spec, parse_mac, parse_spec
from tests.support import Run

MB = 1 << 20


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("sim:", Spec()),
        ("sim:512KB", Spec(size=512 * 1024)),
        ("sim:1MB", Spec(size=MB)),
        ("sim:16mb", Spec(size=16 * MB)),
        ("sim:flash=a.bin", Spec(flash=Path("a.bin"))),
        ("sim:4MB,flash=a=b.bin", Spec(size=4 * MB, flash=Path("a=b.bin"))),
        ("sim:4MB,flash=/a, b/c.bin", Spec(size=4 * MB, flash=Path("/a, b/c.bin"))),
        ("sim:flash=a,b,c/d.bin,boot-writes", Spec(flash=Path("a,b,c/d.bin"), boot_writes=True)),
        ("sim:flash=C:\\a,b\\c.bin,part=W25Q32", Spec(flash=Path("C:\\a,b\\c.bin"), part="W25Q32")),
        ("sim:part=W25Q32", Spec(part="W25Q32")),
        ("sim:mac=18:fe:34:01:02:03", Spec(mac=b"\x18\xfe\x34\x01\x02\x03")),
        ("sim:chip=esp8285", Spec(model=ChipModel.ESP8285)),
        ("sim:chip=esp8266", Spec()),
        ("sim:boot=run", Spec(boot=True)),
        ("sim:boot=download", Spec()),
        ("sim:boot-writes", Spec(boot_writes=True)),
        ("sim:4MB,rise=20", Spec(size=4 * MB, rise=20)),
        ("sim:rise=0.5,boot=run", Spec(rise=0.5, boot=True)),
        ("sim:fault=drop=in:1,slow=page:2", Spec(faults=parse_plan("drop=in:1,slow=page:2"))),
        (
            "sim:2MB,boot=run,flash=/x/fault=1.bin,fault=garbage=3",
            Spec(size=2 * MB, flash=Path("/x/fault=1.bin"), boot=True, faults=parse_plan("garbage=3")),
        ),
    ],
)
def test_words(text: str, spec: Spec) -> None:
    assert parse_spec(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        "sim",
        "COM3",
        "sim:3MB",
        "sim:2MB-c1",
        "sim:256KB",
        "sim:flash=a.bin,4MB",
        "sim:flash=a.bin,bogus,part=W25Q32",
        "sim:flash=",
        "sim:rise=",
        "sim:rise=-1",
        "sim:rise=10000",
        "sim:rise=5ms",
        "sim:rise=nan",
        "sim:flash",
        "sim:mac=1",
        "sim:chip=esp32",
        "sim:boot=fast",
        "sim:boot-writes=1",
        "sim:colour=red",
        "sim:fault=nonsense",
    ],
)
def test_what_is_not_understood(text: str) -> None:
    with pytest.raises(FormatError):
        parse_spec(text)


def test_the_sizes_are_those_of_real_chips() -> None:
    assert {name: size // 1024 for name, size in SIZES.items()} == {
        "512KB": 512, "1MB": 1024, "2MB": 2048, "4MB": 4096, "8MB": 8192, "16MB": 16384
    }  # fmt: skip


@pytest.mark.parametrize("text", ["18fe34A1b2c3", "18-FE-34-a1-b2-c3", "18:fe:34:a1:b2:c3"])
def test_mac(text: str) -> None:
    assert parse_mac(text) == bytes.fromhex("18fe34a1b2c3")


@pytest.mark.parametrize(
    "text",
    ["", "18fe34a1b2", "18:fe:34:a1:b2-c3", "18fe:34:a1:b2:c3", "zz:fe:34:a1:b2:c3", "00:00:00:a1:b2:c3"],
)
def test_no_mac(text: str) -> None:
    with pytest.raises(FormatError):
        parse_mac(text)


def test_size_and_part() -> None:
    assert parse_spec("sim:").setup().part.bytes == 4 * MB
    assert parse_spec("sim:512KB").setup().part.bytes == 512 * 1024
    assert parse_spec("sim:part=W25Q80").setup().part.bytes == MB
    assert parse_spec("sim:1MB,part=W25Q80").setup().part.name == "W25Q80"
    with pytest.raises(FormatError, match="of another size"):
        parse_spec("sim:4MB,part=W25Q80").setup()
    with pytest.raises(FormatError, match="no such flash part"):
        parse_spec("sim:part=W99").setup()


def test_the_flash_file(tmp_path: Path) -> None:
    flash = tmp_path / "flash.bin"
    store = parse_spec(f"sim:512KB,flash={flash}").setup().store
    assert store is not None
    assert flash.read_bytes() == b"\xff" * 0x80000
    with pytest.raises(PortError, match="in use"):
        parse_spec(f"sim:512KB,flash={flash}").setup()
    store.close()
    with pytest.raises(LayoutError, match="wrong length"):
        parse_spec(f"sim:1MB,flash={flash}").setup()
    assert flash.stat().st_size == 0x80000
    with pytest.raises(PortError):
        parse_spec(f"sim:flash={tmp_path}").setup()
    with pytest.raises(PortError):
        parse_spec(f"sim:flash={tmp_path / 'no' / 'folder'}").setup()


@pytest.mark.parametrize(
    "words",
    [
        ("--flash-size", "3MB"),
        ("--flash-size", "2MB-c1"),
        ("--mac", "18:fe"),
        ("--chip", "esp32"),
        ("--boot", "fast"),
        ("--fault", "nonsense"),
        ("--part", "W99"),
        ("--part", "W25Q80", "--flash-size", "4MB"),
        ("--listen", "ftp://127.0.0.1:0"),
        ("--listen", "tcp://127.0.0.1"),
        ("--listen", "tcp://127.0.0.1:x"),
        ("--listen", "tcp://127.0.0.1:70000"),
        ("--listen", "tcp://127.0.0.1:" + "9" * 5000),
        ("--listen", "serial"),
        ("--report", "no/folder/report.json"),
        ("--record", "no/folder/record.jsonl"),
        ("--replay", "no-such-file"),
        ("--replay", "empty", "--part", "W99"),
    ],
)
def test_wrong_words_are_usage_errors(
    imgtool: Callable[..., Run], folder: Path, words: tuple[str, ...]
) -> None:
    (folder / "empty").touch()
    ran = imgtool("simulate", *words)
    assert (ran.code, ran.out) == (2, "")
    assert "inspect" not in ran.err


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:0", "tcp://a..b:0", "rfc2217://192.0.2.1:0"])
def test_where_nobody_can_listen(imgtool: Callable[..., Run], folder: Path, address: str) -> None:
    ran = imgtool("simulate", "--listen", address, "--flash", folder / "flash.bin")
    assert (ran.code, ran.out) == (5, "")


def test_flash_files_on_the_command_line(imgtool: Callable[..., Run], folder: Path) -> None:
    (folder / "flash.bin").write_bytes(b"\xff" * 100)
    ran = imgtool("simulate", "--flash", "flash.bin")
    assert ran.code == 4
    assert "4,194,304 bytes" in ran.err
    assert imgtool("simulate", "--flash", ".").code == 5
    other = parse_spec("sim:1MB,flash=used.bin").setup().store
    assert other is not None
    assert imgtool("simulate", "--flash", "used.bin", "--flash-size", "1MB").code == 5
    other.close()


def test_the_list_of_parts(imgtool: Callable[..., Run]) -> None:
    ran = imgtool("simulate", "--part", "list")
    assert ran.code == 0
    assert "W25Q32" in ran.out


@pytest.mark.parametrize("size", ["512KB", "8MB", "16MB"])
def test_no_esp8285_has_any_other_size(size: str) -> None:
    with pytest.raises(FormatError, match="no ESP8285 has a flash of that size"):
        parse_spec(f"sim:{size},chip=esp8285").setup()
