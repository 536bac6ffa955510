"""esptool 5.6.0's elf2image as an independent opinion on the images that are built of ELF programs.

What differs on purpose is in docs/how-to/build.md and at the end of this file.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from fixtures import elves
from fixtures.elves import (
    ALLOC,
    EXEC,
    FINI_ARRAY,
    INIT_ARRAY,
    NOBITS,
    NOTE,
    OBJECT,
    PREINIT_ARRAY,
    RISC_V,
    Elf,
    Section,
)
from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats.images import version1
from imgtool.operations.assemble.pieces import HeaderChange
from imgtool.operations.building.images import HEADER, build
from tests.support import corpus_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("esptool") is None, reason="esptool is not installed (dependency group oracle)"
)
SOURCES: Final = Path(__file__).parents[1] / "elf"
COMPILER: Final = "xtensa-lx106-elf-gcc"
FLAGS: Final = (
    "-Os",
    "-std=c11",
    "-ffreestanding",
    "-mlongcalls",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-nostdlib",
)
CORPUS_ELF: Final = "elf/esp8266-nonosssdk20-iotdemo.elf"

LINKED: Final = {
    "NodeMCU's map": ("nodemcu.ld", []),
    "odd sizes": ("nodemcu.ld", ["-DODD=1"]),
    "large constants": ("old.ld", ["-DLARGE=60000", "-DODD=2"]),
    "user1": ("user1.ld", ["-DODD=3"]),
    "user2": ("user2.ld", []),
    "rBoot": ("rboot.ld", ["-DODD=5"]),
    "no irom": ("nodemcu.ld", ["-DNO_IROM"]),
    "adjacent sections": ("adjacent.ld", ["-DODD=3"]),
    "constructors": ("nodemcu.ld", ["-DCONSTRUCTOR"]),
}

IRAM, DRAM, IROM = 0x4010_0000, 0x3FFE_8000, 0x4021_0000
RTOS: Final = elves.rtos_program()
CODE: Final = Section(".text", IRAM, bytes(range(1, 23)), flags=ALLOC | EXEC)
MADE: Final = {
    **{name: elf for name, elf in elves.build().items() if not name.startswith("broken/")},
    "every type": Elf(
        (
            CODE,
            Section(".init_array", DRAM, b"\1\2\3\4", INIT_ARRAY),
            Section(".fini_array", DRAM + 0x10, b"\1\2\3\4\5", FINI_ARRAY),
            Section(".preinit_array", DRAM + 0x20, b"\6", PREINIT_ARRAY),
            Section(".note", DRAM + 0x30, b"note", NOTE),
            Section(".bss", DRAM + 0x40, kind=NOBITS, size=0x1000),
            Section(".empty", DRAM + 0x2000),
            Section(".irom0.text", IROM, b"\1\2\3"),
        )
    ).build(),
    "neighbours": Elf(
        (
            CODE,
            Section(".text.more", IRAM + 24, b"\1\2\3\4\5"),  # joins, as the one before is padded to it
            Section(".text.last", IRAM + 36, b"\1\2\3\4"),  # does not
            Section(".irom.a", IROM, b"\1\2\3\4\5"),
            Section(".irom.b", IROM + 8, b"\6\7"),
            Section(".data", DRAM + 4, b"\1\2\3\4"),
            Section(".rodata", DRAM, b"\5\6\7\x08"),  # before the one before
        )
    ).build(),
    "no irom at all": Elf((CODE,)).build(),
}


def images(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".bin"}


def elf2image(elf: Path, *options: str) -> dict[str, bytes]:
    """The files that the command writes beside the ELF file, which is alone in its folder."""
    command = [sys.executable, "-m", "esptool", "--chip", "esp8266", "elf2image", *options, elf.name]
    done = subprocess.run(command, cwd=elf.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return images(elf.parent)


def ours(elf: Path, version: int, **options: object) -> dict[str, bytes]:
    built = build(elf.read_bytes(), version, **options)  # type: ignore[arg-type]
    stem = elf.name if version == 1 else elf.stem
    return {f"{stem}-{file.suffix}": file.data for file in built.files}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("option", [[], ["--use-segments"]], ids=["sections", "segments"])
def test_real_program(tmp_path: Path, version: int, option: list[str]) -> None:
    elf = Path(shutil.copy(corpus_folder() / CORPUS_ELF, tmp_path / "app.v1.elf"))

    assert ours(elf, version, use_segments=bool(option)) == elf2image(elf, "--version", str(version), *option)


_ONE_FILE: Final = "its boot loader starts one file"
_NO_IROM: Final = "a version-2 image begins with code that runs from flash"
REFUSED: Final = {
    ("elf/ram.elf", 2): _NO_IROM,
    ("elf/rtos3.elf", 1): _ONE_FILE,
    ("elf/rtos3.elf", 2): _ONE_FILE,
    ("no irom at all", 2): _NO_IROM,
    ("no irom", 2): _NO_IROM,
    ("elf/user1.elf", 1): "the image that is loaded from flash address 0 reaches into .irom0.text",
}
"""What is refused here and made by esptool, and why; the manual has the reasons."""

CASES: Final = [
    (name, version, segments)
    for name in (*MADE, *LINKED)
    for version in (1, 2)
    for segments in ((False,) if name in LINKED else (False, True))
]
SEVERAL: Final = """
import json, os, sys
import esptool
for folder, options in json.load(sys.stdin):
    os.chdir(folder)
    esptool.main(["--chip", "esp8266", "elf2image", *options, "app.elf"])
"""


def run_several(jobs: list[tuple[str, list[str]]]) -> None:
    command = [sys.executable, "-c", SEVERAL]
    subprocess.run(command, input=json.dumps(jobs), text=True, capture_output=True, check=True)


def link(name: str, elf: Path) -> None:
    script, macros = LINKED[name]
    memory = ["-Wl,--no-warn-rwx-segments", "-T", script]
    subprocess.run([COMPILER, *FLAGS, *macros, *memory, "program.c", "-o", str(elf)], cwd=SOURCES, check=True)


@pytest.fixture(scope="module")
def elf2images(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int, bool], Path]:
    """Folders with what esptool makes of every program; one process makes them all."""
    folders: dict[tuple[str, int, bool], Path] = {}
    jobs: list[tuple[str, list[str]]] = []
    for name, version, segments in CASES:
        if name in LINKED and shutil.which(COMPILER) is None:
            continue
        folder = folders[name, version, segments] = tmp_path_factory.mktemp("made")
        if name in LINKED:
            link(name, folder / "app.elf")
        else:
            (folder / "app.elf").write_bytes(MADE[name])
        options = ["--version", str(version)]
        if name in MADE:
            options += ["-fm", "dio", "-ff", "80m", "-fs", "4MB-c1"]
        jobs.append((str(folder), [*options, "--use-segments"] if segments else options))
    run_several(jobs)
    return folders


@pytest.mark.parametrize(("name", "version", "segments"), CASES)
def test_program(
    elf2images: Mapping[tuple[str, int, bool], Path], name: str, version: int, segments: bool
) -> None:
    folder = elf2images.get((name, version, segments))
    if folder is None:
        pytest.skip(f"{COMPILER} is not installed (Debian's gcc-xtensa-lx106)")
    header = HeaderChange("dio", "80m", "4MB-c1") if name in MADE else HEADER
    theirs = images(folder)

    assert theirs
    if (name, version) in REFUSED:
        with pytest.raises(ImgtoolError, match=REFUSED[name, version]):
            ours(folder / "app.elf", version, header=header, use_segments=segments)
    else:
        assert ours(folder / "app.elf", version, header=header, use_segments=segments) == theirs


_FLASHED: Final = Section(".irom0.text", IROM, b"\1\2\3\4")
MADE_BY_ESPTOOL_ALONE: Final = {
    "for RISC-V": (Elf((CODE,), machine=RISC_V), ["--version", "1"], FormatError),
    "not linked": (Elf((Section(".text", 0, b"\1\2\3\4"),), kind=OBJECT), ["--version", "1"], FormatError),
    "nothing to load": (Elf(()), ["--version", "1"], FormatError),
    "entry point nowhere": (Elf((CODE,), entry=IROM), ["--version", "1"], FormatError),
    "version 2 without irom": (Elf((CODE,)), ["--version", "2"], FormatError),
    "IRAM overflow": (Elf((replace(CODE, data=bytes(0x8001)), _FLASHED)), ["--version", "1"], LayoutError),
    "DRAM overflow": (Elf((CODE, Section(".data", DRAM, bytes(0x14001)))), ["--version", "1"], LayoutError),
    "IROM overflow": (Elf((CODE, replace(_FLASHED, data=bytes(0xF0001)))), ["--version", "1"], LayoutError),
    "no memory": (Elf((CODE, Section(".x", 0x4030_0000, b"1234"))), ["--version", "1"], LayoutError),
    "boot ROM": (Elf((CODE, Section(".x", 0x4000_1000, b"1234"))), ["--version", "1"], LayoutError),
    "overlap": (Elf((CODE, Section(".x", IRAM + 8, b"1234"))), ["--version", "1"], LayoutError),
    "into irom": (Elf((CODE, replace(_FLASHED, address=0x4020_0010))), ["--version", "1"], LayoutError),
}
"""Programs of which esptool makes images, and imgtool does not; the manual has the reasons."""


@pytest.fixture(scope="module")
def made_alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp("alone") for name in MADE_BY_ESPTOOL_ALONE}
    jobs: list[tuple[str, list[str]]] = []
    for name, (elf, options, _) in MADE_BY_ESPTOOL_ALONE.items():
        (folders[name] / "app.elf").write_bytes(elf.build())
        jobs.append((str(folders[name]), options))
    run_several(jobs)
    return folders


@pytest.mark.parametrize("name", MADE_BY_ESPTOOL_ALONE)
def test_what_esptool_makes_and_imgtool_refuses(made_alone: dict[str, Path], name: str) -> None:
    elf, options, kind = MADE_BY_ESPTOOL_ALONE[name]

    assert images(made_alone[name])
    with pytest.raises(kind):
        build(elf.build(), int(options[1]))


def test_adjacent_irom_across_a_border_that_only_esptool_knows(tmp_path: Path) -> None:
    border = 0x402E_1010
    sections = (CODE, Section(".a", border - 8, b"\1" * 8), Section(".b", border, b"\2" * 8))
    elf = tmp_path / "app.elf"
    elf.write_bytes(Elf(sections).build())
    command = [sys.executable, "-m", "esptool", "--chip", "esp8266", "elf2image", str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, "irom0" in done.stdout + done.stderr) == (2, True)
    assert build(elf.read_bytes()).files[1].data == b"\1" * 8 + b"\2" * 8


def memory_of(image: bytes) -> dict[int, int]:
    """What an image puts at which address; what runs from flash by where it stands in the file."""
    found = version1.scan(image)
    base = found.segments[0].address - found.segments[0].offset
    memory: dict[int, int] = {}
    for segment in found.segments:
        start = base + segment.offset if segment.memory == "IROM" else segment.address
        memory |= enumerate(image[segment.offset : segment.offset + segment.size], start)
    return memory


def test_an_application_of_the_rtos_sdk(tmp_path: Path) -> None:
    elf = tmp_path / "app.elf"
    elf.write_bytes(elves.rtos_program().build())
    (theirs,) = elf2image(elf, "--version", "3", "-fm", "dio", "-ff", "80m", "-fs", "4MB").values()
    (file,) = build(elf.read_bytes(), header=HeaderChange("dio", "80m", "4MB")).files
    room = dict.fromkeys(memory_of(theirs).keys() - memory_of(file.data).keys(), 0)

    # This release of esptool joins what the SDK's own leaves apart: the header's room stays in it as zeros.
    assert (file.data[0], file.data[2:8]) == (theirs[0], theirs[2:8])
    assert len(room) == 8
    assert memory_of(file.data) | room == memory_of(theirs)


def test_an_application_without_room_for_a_header_is_the_same(tmp_path: Path) -> None:
    sections = [
        replace(each, data=each.data[8:]) if "rodata" in each.name else each for each in RTOS.sections
    ]
    elf = tmp_path / "app.elf"
    elf.write_bytes(replace(RTOS, sections=sections).build())

    assert build(elf.read_bytes()).files[0].data in elf2image(elf, "--version", "3").values()
