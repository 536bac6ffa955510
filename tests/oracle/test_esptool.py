"""esptool 5.6.0 as an independent opinion on what is merged, built and read."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imgtool.formats.images.version1 import BootImage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, IROM, corpus_folder, said

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("esptool") is None, reason="esptool is not installed (dependency group oracle)"
)
ELF = "elf/esp8266-nonosssdk20-iotdemo.elf"


def esptool(*arguments: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "esptool", "--chip", "esp8266", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def unpack(folder: Path, *names: str) -> list[Path]:
    paths = []
    for name in names:
        path = folder / name.replace("/", "-")
        path.write_bytes(IMAGES[name])
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def elf_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What esptool makes of the real ELF file, versions 1 and 2."""
    folder = tmp_path_factory.mktemp("elf")
    elf = shutil.copy(corpus_folder() / ELF, folder / "app.elf")
    esptool("elf2image", "--version", "1", "-o", "v1-", elf, folder=folder)
    esptool("elf2image", "--version", "2", "-o", "v2.bin", elf, folder=folder)
    return folder


@pytest.mark.parametrize(
    ("folder", "names", "options"),
    [
        ("sample", ("0x00000", "0x10000"), {}),
        ("sample", ("0x00000", "0x10000"), {"mode": "dout", "freq": "80m", "size": "4MB"}),
        ("nodemcu-0.9.5", ("0x00000", "0x10000"), {"mode": "dio", "size": "2MB-c1"}),
        ("nonos-2.0", ("eagle.flash", "eagle.irom0text"), {"freq": "26m", "size": "16MB"}),
    ],
    ids=["keep", "all", "c1", "16MB"],
)
def test_merge(tmp_path: Path, folder: str, names: tuple[str, str], options: dict[str, str]) -> None:
    boot, code = unpack(tmp_path, *(f"{folder}/{name}.bin" for name in names))
    flags = [word for name, value in options.items() for word in (f"--flash-{name}", value)]
    esptool("merge-bin", "-o", "out.bin", *flags, "0x0", boot, "0x10000", code, folder=tmp_path)

    ours = merge(
        [Piece(0, boot.read_bytes(), "boot"), Piece(IROM, code.read_bytes(), "code")],
        header=HeaderChange(**options),
    )
    assert ours.data == (tmp_path / "out.bin").read_bytes()


@pytest.mark.parametrize(
    "name", ["sample/0x00000.bin", "nonos-2.0/eagle.flash.bin", "broken/bad-checksum.bin", "v2/user1.bin"]
)
def test_image_info(tmp_path: Path, name: str) -> None:
    (path,) = unpack(tmp_path, name)
    text = esptool("image-info", path, folder=tmp_path)

    description = describe(path.read_bytes())
    part = next(part for part in description.parts if part.segments)
    assert description.header is not None
    assert part.checksum is not None
    entry = re.search(r"Entry point: (0x[0-9a-f]+)", text)
    assert entry is not None
    rows = re.findall(r"^ +\d+ +(0x\w+) +(0x\w+) +(0x\w+)", text, re.MULTILINE)
    # esptool counts irom of a version-2 image, at load address 0, as a segment; its offsets are those of the
    # 8-byte headers.
    numbers = [tuple(int(cell, 16) for cell in row) for row in rows]
    theirs = [(size, load, place + 8) for size, load, place in numbers if load]
    checksum = re.search(r"Checksum: (0x[0-9a-f]+) \((valid|invalid)", text)
    assert checksum is not None

    assert theirs == [(segment.size, segment.address, segment.offset) for segment in part.segments]
    assert int(entry[1], 16) == description.header.entry
    assert (int(checksum[1], 16), checksum[2] == "valid") == (part.checksum.stored, part.checksum.ok)


def test_version_1_images_of_an_elf_file(elf_images: Path) -> None:
    boot = (elf_images / "v1-0x00000.bin").read_bytes()
    description = describe(boot)

    assert (str(description.kind), description.ok, BootImage.parse(boot).build() == boot) == (
        "image-v1",
        True,
        True,
    )


def test_version_1_images_of_an_elf_file_are_of_one_build(elf_images: Path) -> None:
    boot, code = ((elf_images / f"v1-0x{address}.bin").read_bytes() for address in ("00000", "10000"))

    assert merge([Piece(0, boot, "boot"), Piece(IROM, code, "code")]).findings == ()


def test_version_2_image_of_an_elf_file(elf_images: Path) -> None:
    description = describe((elf_images / "v2.bin").read_bytes())

    assert (str(description.kind), description.ok, said(description.findings, "warning")) == (
        "image-v2",
        True,
        [],
    )
    assert [check.algorithm for _, check in description.checksums] == ["xor8", "sdk-crc32"]
