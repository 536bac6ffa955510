"""Real NodeMCU on the virtual board as judge of the file systems that imgtool makes, and of what it keeps.

Each release lists every file and reads it to the last byte, on its own and without formatting, and goes on
writing; what it has then is read by imgtool.  Needs a dump of the boot ROM and the real images; 1.5.4.1 also
a folder named by IMGTOOL_MORE_IMAGES; ``nox -s firmware``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Final

import pytest

from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.layout.file_targets import target_for
from imgtool.operations.assemble.extras import InitDataSource, layout_of
from imgtool.operations.assemble.filesystem import space_in
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.files.change import FileChange, changed
from imgtool.operations.files.find import held_in
from imgtool.operations.files.reading import ReadFileSystem
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.plan import plan_flash
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.file_systems import file_systems
from tests.nodemcu_files import FILES as TWELVE
from tests.oracle.firmware_console import needs_rom
from tests.oracle.firmware_files import FIRMWARE, FileConsole, image_of
from tests.support import over

pytestmark = [pytest.mark.long, needs_rom]

MB: Final = 1 << 20
NAMES: Final = {MB: "1MB", 4 * MB: "4MB"}
# Not init.lua, which would run; of the longest file no more than one release reads.
FILES: Final[Mapping[bytes, bytes]] = {name: data for name, data in TWELVE.items() if name != b"init.lua"}
FEW: Final[Mapping[bytes, bytes]] = {name: data for name, data in FILES.items() if len(data) < 26_356}
MORE: Final = bytes(range(256)) * 3
FORMATS: Final = b"ormatting file system"
SILENCE: Final = 250.0  # seconds of the chip, for one that formats after all


def booted(flash: bytes) -> FileConsole:
    """The board at its prompt; it has formatted nothing."""
    console = FileConsole(flash)
    said = console.to_prompt(SILENCE)
    assert said.endswith(b"\n> ")
    assert FORMATS not in said
    return console


def check_files(console: FileConsole, files: Mapping[bytes, bytes]) -> None:
    """It lists these files and no others, and reads each as it is."""
    assert console.listing() == {name: len(data) for name, data in files.items()}
    for name, data in files.items():
        assert console.read_file(name, len(data)) == data, name


def check_goes_on(console: FileConsole, files: Mapping[bytes, bytes]) -> None:
    """It writes, rewrites and removes; imgtool reads what is there then, and so does the next boot."""
    console.write_file(b"more.lua", MORE)
    console.write_file(b"page", b"short")
    console.remove_file(b"one")
    now = {**files, b"more.lua": MORE, b"page": b"short"}
    del now[b"one"]
    (system,) = (each for each in file_systems(console.flash) if each.files)
    assert {file.name: file.data for file in system.files} == now
    assert all(file.whole for file in system.files)
    # Not its list: SPIFFS before 0.3.6 leaves out files that it has put into the last page of a block itself,
    # https://github.com/pellepl/spiffs/issues/90
    again = booted(console.flash)
    for name in (b"more.lua", b"page", b"page-and-one", b".hidden"):
        assert name not in now or again.read_file(name, len(now[name])) == now[name]


def new_files(files: Mapping[bytes, bytes]) -> tuple[NewFile, ...]:
    return tuple(NewFile(name, data) for name, data in files.items())


@cache
def full_image(name: str, size: int) -> bytes:
    files = FILES if size == MB else FEW
    return fullimage([Piece(0, image_of(name), name)], NAMES[size], Extras(files=new_files(files))).data


@pytest.mark.parametrize(("name", "size"), [*product(FIRMWARE, NAMES)])
def test_files_of_a_folder(name: str, size: int) -> None:
    files = FILES if size == MB else FEW
    console = booted(full_image(name, size))

    check_files(console, files)
    check_goes_on(console, files)


def test_a_full_file_system_to_the_last_page() -> None:
    """Release 3.0 on 1 MB: as many small files as its room holds together with a long one."""
    image = image_of("3.0")
    described = describe(image)
    assert described.firmware is not None
    end = max(part.end for part in described.parts)
    target = target_for(layout_of(described), described.firmware, end, image[:0x10000])
    small = {f"n{number}".encode(): b"" for number in range(20)}
    room = space_in(target, new_files(small))
    long = bytes(251 * (room.room - room.needed - 30))
    while space_in(target, (*new_files(small), NewFile(b"long", long + bytes(251)))).fits:
        long += bytes(251)
    files = {**small, b"long": long}
    assert space_in(target, new_files(files)).needed == room.room

    console = booted(fullimage([Piece(0, image, "fw")], "1MB", Extras(files=new_files(files))).data)

    assert console.listing() == {name: len(data) for name, data in files.items()}
    console.remove_file(b"long")
    console.write_file(b"page", MORE)
    assert console.read_file(b"page", len(MORE)) == MORE


# Kept through an upgrade.


def upgraded(flash: bytes, image: bytes) -> bytes:
    """The flash after ``imgtool flash --keep-files``."""
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=len(flash))
    request = PlanRequest((Piece(0, image, "new"),), init_data=InitDataSource(), keep_files=True)
    plan = plan_flash(request, target, lambda address, size: flash[address : address + size])
    assert plan.files is not None
    return over(flash, [(piece.address, piece.data) for piece in plan.pieces])


@cache
def used(name: str, size: int) -> bytes:
    """The flash of a board whose firmware has written files itself, beside those that it was given."""
    console = booted(full_image(name, size))
    console.write_file(b"own.txt", MORE)
    console.remove_file(b"page-and-one")
    return console.flash


def kept(size: int) -> dict[bytes, bytes]:
    files = dict(FILES if size == MB else FEW)
    del files[b"page-and-one"]
    return {**files, b"own.txt": MORE}


PAIRS: Final = [(old, new, MB) for old, new in product(FIRMWARE, FIRMWARE)]
LARGE: Final = [(old, new, 4 * MB) for old, new in (("0.9.5", "3.0"), ("2.1", "3.0"), ("1.5.4.1", "2.1"))]


@pytest.mark.parametrize(("old", "new", "size"), [*PAIRS, *LARGE])
def test_files_are_kept_from_each_release_to_each(old: str, new: str, size: int) -> None:
    console = booted(upgraded(used(old, size), image_of(new)))

    check_files(console, kept(size))
    check_goes_on(console, kept(size))


# Put and removed afterwards.


def kept_in(flash: bytes) -> ReadFileSystem:
    held = held_in(flash, describe(flash))
    return held.read(held.chosen(None))


def with_change(flash: bytes, change: FileChange) -> bytes:
    return over(flash, [(piece.address, piece.data) for piece in change.sectors])


@pytest.mark.parametrize("name", FIRMWARE)
def test_files_that_are_put_in_and_removed(name: str) -> None:
    files = {**kept(MB), b"put.bin": FILES[b"header-full.bin"], b"page": b"put in its place"}
    flash = with_change(
        used(name, MB),
        changed(
            kept_in(used(name, MB)),
            [NewFile(b"put.bin", files[b"put.bin"]), NewFile(b"page", files[b"page"])],
            [b"own.txt"],
        ),
    )
    del files[b"own.txt"]
    console = booted(flash)

    check_files(console, files)
    check_goes_on(console, files)
