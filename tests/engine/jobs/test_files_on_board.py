"""Files put on a board and removed from it: with every stub and without, through faults and power cuts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest

from fixtures import dumps
from fixtures.filesystems import FILES as FEW
from fixtures.upgrades import MB
from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import FolderFile
from imgtool.engine.jobs.files.changing import PutFilesRequest, RemoveFilesRequest, put_files, remove_files
from imgtool.engine.jobs.files.listing import ListFilesRequest, list_files
from imgtool.engine.jobs.files.on_board import Keeping
from imgtool.errors import FileRoomError, ImgtoolError, NoFilesError, UsageError
from imgtool.formats.filesystems.littlefs_make import compose
from imgtool.formats.filesystems.littlefs_shape import LittleFsShape
from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.operations.inspect.file_systems import file_systems
from tests.device.boards import FEW_WAYS
from tests.engine.jobs.boards import board
from tests.engine.jobs.boards import flash as content
from tests.nodemcu_files import RELEASES, contents, mounted, with_files
from tests.support import IMAGES

if TYPE_CHECKING:
    from imgtool.device.wire import Wire
    from imgtool.engine.jobs.flash import Backup

STUB: Final = ConnectOptions(stub="imgtool")
RELEASE: Final = {release.name: release for release in RELEASES}
IROM_END: Final = 0x20000
SMALL: Final = {name: data for name, data in FEW.items() if len(data) < 2000}
OWN: Final = (FolderFile("init.lua", b"print('new')\n"), FolderFile("lib/net.lua", b"return {}\n" * 900))


def old_flash(name: str = "2.2.1") -> bytes:
    return with_files(RELEASE[name], MB, IROM_END, SMALL)


class Saves:
    """Keeps the copies, and sees that nothing was erased before."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.before = wire, content(wire, 0, MB)
        self.copies: list[Backup] = []
        self.dropped: list[str] = []

    def __call__(self, backup: Backup) -> str:
        assert content(self.wire, 0, MB) == self.before, "nothing is erased before a copy is saved"
        self.copies.append(backup)
        return f"copy-{len(self.copies)}.bin"


def on(wire: Wire, name: str = "2.2.1") -> dict[bytes, bytes]:
    found = mounted(RELEASE[name], content(wire, 0, MB), IROM_END)
    assert found is not None, "it formats"
    assert found[1].check() == []
    return contents(found[1])


def after_put() -> dict[bytes, bytes]:
    return SMALL | {file.name.encode(): file.data for file in OWN}


@pytest.mark.parametrize("way", FEW_WAYS)
def test_put_with_every_stub_and_without(way: str) -> None:
    wire = board(old_flash(), "1MB")
    save = Saves(wire)
    before = content(wire, 0, MB)

    result = put_files(
        PutFilesRequest(files=OWN[:1], connect=ConnectOptions(stub=way)),
        wire,
        keeping=Keeping(save=save, drop=save.dropped.append),
    )

    assert result.ok
    assert on(wire) == SMALL | {b"init.lua": OWN[0].data}
    assert save.dropped == ["copy-1.bin"]
    now = content(wire, 0, MB)
    changed = [at for at in range(0, MB, 0x1000) if now[at : at + 0x1000] != before[at : at + 0x1000]]
    assert all(0x30000 <= at < 0xFB000 for at in changed)
    assert len(changed) <= 3


@pytest.mark.parametrize(
    "name", ["0.9.5", *(pytest.param(each, marks=pytest.mark.long) for each in ("1.5.1", "2.0.0", "3.0"))]
)
def test_put_and_remove_of_every_kind(name: str) -> None:
    wire = board(old_flash(name), "1MB")

    put_files(PutFilesRequest(files=OWN, connect=STUB), wire, keeping=Keeping(save=Saves(wire)))
    assert on(wire, name) == after_put()
    remove_files(
        RemoveFilesRequest(patterns=("one*", "http/*"), connect=STUB), wire, keeping=Keeping(save=Saves(wire))
    )

    gone = {file for file in SMALL if file.startswith((b"one", b"http/"))}
    assert on(wire, name) == {file: data for file, data in after_put().items() if file not in gone}


def test_littlefs_of_a_sketch() -> None:
    shape = LittleFsShape(block_size=0x1000, blocks=16)
    there = (NewFile(b"config.json", b"{}"), NewFile(b"www/index.html", b"<p>" * 3000))
    flash = dumps.flash(MB, {0: IMAGES["arduino/core-3.1.bin"], 0xEB000: compose(there, shape)})
    wire = board(flash, "1MB")

    put_files(PutFilesRequest(files=OWN, connect=STUB), wire, keeping=Keeping(save=Saves(wire)))

    (system,) = file_systems(content(wire, 0xEB000, 0x10000))
    expected = {file.name.decode(): file.data for file in there} | {file.name: file.data for file in OWN}
    assert {file.path: file.data for file in system.files} == expected
    assert system.layout == "2.0"


def test_a_dry_run_writes_nothing() -> None:
    wire = board(old_flash(), "1MB")
    before = content(wire, 0, MB)

    result = put_files(PutFilesRequest(files=OWN, dry_run=True, connect=STUB), wire)

    assert (result.ok, result.written, content(wire, 0, MB)) == (True, False, before)


def test_what_cannot_be() -> None:
    wire = board(old_flash(), "1MB")
    before = content(wire, 0, MB)
    long = (FolderFile("long", bytes(900_000)),)

    with pytest.raises(UsageError, match="saved"):
        put_files(PutFilesRequest(files=OWN, connect=STUB), wire)
    with pytest.raises(FileRoomError, match="too many"):
        put_files(PutFilesRequest(files=long, connect=STUB), wire, keeping=Keeping(save=Saves(wire)))
    assert content(wire, 0, MB) == before
    with pytest.raises(NoFilesError):
        list_files(ListFilesRequest(connect=STUB), board(b"", "1MB"))


# Faults and power cuts.


def faulty(seed: int) -> str:
    source = random.Random(seed)
    kinds = (
        f"cut=sector:{source.randint(1, 8)}:{source.random():.2f}",
        f"cut=page:{source.randint(1, 90)}:{source.random():.2f}",
        f"gone=in:{source.randint(13_000, 40_000)}:60s",
        f"seed={seed}:{source.randint(1, 5)}",
        f"skip=sector:{source.randint(1, 8)}",
        f"worn=0x{source.randrange(0x30000, 0x40000):x}.{source.randrange(8)}",
    )
    return ",".join(source.sample(kinds, source.randint(1, 2)))


def check_nothing_is_lost(seed: int) -> None:
    """The new files are there, or the old ones, or a copy of these was saved and is named."""
    wire = board(old_flash(), "1MB", f"fault={faulty(seed)}")
    save = Saves(wire)
    error = put_error(wire, save)
    if error is None:
        assert on(wire) == after_put()
        return
    now = content(wire, 0, MB)
    if not save.copies:
        assert now == save.before, "nothing was saved, so nothing may have been written"
        return
    assert any("copy-1.bin" in str(note) for note in getattr(error, "__notes__", ()))
    assert save.copies[0].data == save.before[0x30000 : 0x30000 + len(save.copies[0].data)]
    assert now[:0x30000] == save.before[:0x30000]


def put_error(wire: Wire, save: Saves) -> ImgtoolError | None:
    """What putting the files in raised; None for nothing."""
    try:
        put_files(PutFilesRequest(files=OWN, connect=STUB), wire, keeping=Keeping(save=save))
    except ImgtoolError as error:
        return error
    return None


@pytest.mark.parametrize("seed", range(1))
def test_faults_lose_no_file(seed: int) -> None:
    check_nothing_is_lost(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 301))
def test_many_faults_lose_no_file(seed: int) -> None:
    check_nothing_is_lost(seed)
