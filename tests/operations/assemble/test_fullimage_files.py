"""Full images with a folder's files: what each release of NodeMCU mounts of them, told by a model of it."""

from __future__ import annotations

from typing import Final

import pytest

from imgtool.errors import FileNameError, FilePlaceError, FileRoomError
from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.layout.file_targets import target_for
from imgtool.operations.assemble.extras import layout_of
from imgtool.operations.assemble.filesystem import space_in
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.inspect.describe import describe
from tests.nodemcu_files import FILES, RELEASES, contents, mounted
from tests.support import IMAGES

KB: Final = 1 << 10
BY_NAME: Final = {release.name: release for release in RELEASES}
NAMES: Final = {512 * KB: "512KB", 1024 * KB: "1MB", 2048 * KB: "2MB", 4096 * KB: "4MB", 8192 * KB: "8MB"}
CASES: Final = [(release.name, size) for release in RELEASES for size in release.sizes if size in NAMES]
NEW: Final = tuple(NewFile(name, data) for name, data in FILES.items())
IROM_END: Final = 0x20000


@pytest.mark.parametrize(("name", "size"), CASES, ids=str)
def test_every_release_mounts_it_and_reads_every_file(name: str, size: int) -> None:
    release = BY_NAME[name]

    image = fullimage([Piece(0, release.image(), "fw.bin")], NAMES[size], Extras(files=NEW)).data

    found = mounted(release, image, IROM_END)
    assert found is not None, "it formats"
    assert contents(found[1]) == FILES
    assert found[1].check() == []
    assert found[1].write(b"more.lua", bytes(3000))
    assert found[0] == release.made(image, IROM_END)[0]


def test_same_files_same_bytes() -> None:
    piece = Piece(0, BY_NAME["3.0"].image(), "fw.bin")
    one, two = (fullimage([piece], "1MB", Extras(files=order)).data for order in (NEW, NEW[::-1]))
    assert one == two


def test_room_is_exact() -> None:
    """As many empty files as the room has pages, and one more."""
    image = BY_NAME["2.2.1"].image()
    described = describe(image)
    target = target_for(layout_of(described), described.firmware, IROM_END)
    room = space_in(target, ()).room
    full = tuple(NewFile(b"%d" % number, b"") for number in range(room))
    piece = Piece(0, image, "fw.bin")

    fullimage([piece], "1MB", Extras(files=full))
    with pytest.raises(FileRoomError) as caught:
        fullimage([piece], "1MB", Extras(files=(*full, NewFile(b"more", b""))))

    assert caught.value.too_many == 256


def test_names_that_cannot_be_opened_are_refused() -> None:
    piece = Piece(0, BY_NAME["3.0"].image(), "fw.bin")
    for name in (b"", b"/", b"n" * 32):
        with pytest.raises(FileNameError):
            fullimage([piece], "1MB", Extras(files=(NewFile(name, b"x"),)))
    with pytest.raises(FileNameError, match="two files"):
        fullimage([piece], "1MB", Extras(files=(NewFile(b"/a", b""), NewFile(b"a", b""))))


def test_firmware_that_does_not_tell_its_place_is_refused() -> None:
    piece = Piece(
        0, IMAGES["sample/0x00000.bin"].ljust(0x10000, b"\xff") + IMAGES["sample/0x10000.bin"], "fw"
    )
    other = piece.data.replace(b"NodeMCU", b"OtherCU")
    with pytest.raises(FilePlaceError):
        fullimage([Piece(0, other, "fw")], "1MB", Extras(files=NEW))


def test_a_file_system_in_the_input_gives_way() -> None:
    release = BY_NAME["2.2.1"]
    first = fullimage([Piece(0, release.image(), "fw.bin")], "1MB", Extras(files=NEW)).data
    own = (NewFile(b"other.lua", b"x"),)

    second = fullimage([Piece(0, first, "flash.bin")], "1MB", Extras(files=own)).data

    found = mounted(release, second, IROM_END)
    assert found is not None
    assert contents(found[1]) == {b"other.lua": b"x"}
