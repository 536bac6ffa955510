"""The job ``flash`` with files: a folder's, those that the board has, and those of a saved copy."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import pytest

from fixtures import dumps
from fixtures.filesystems import FILES as FEW
from fixtures.filesystems import SLASHED, Variant, spiffs
from fixtures.upgrades import MB, before_3, from_3, used
from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import FolderFile, InputFile
from imgtool.engine.jobs.flash import Answer, FlashRequest, flash, flash_board
from imgtool.engine.verdicts import exit_code_of
from imgtool.errors import FileNameError, FileRoomError, FormatError, LayoutError, LossError, UsageError
from tests.device.boards import FEW_WAYS
from tests.engine.jobs.boards import board
from tests.engine.jobs.boards import flash as content
from tests.nodemcu_files import RELEASES, contents, mounted, with_files
from tests.support import IMAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.device.wire import Wire
    from imgtool.engine.jobs.flash import Backup

STUB: Final = ConnectOptions(stub="imgtool")
RELEASE: Final = {release.name: release for release in RELEASES}
IROM_END: Final = 0x20000
SMALL: Final = {name: data for name, data in FEW.items() if len(data) < 2000}
NEW: Final = from_3(spiffs=0x20000)  # small: what is written takes its time
OWN: Final = (FolderFile("init.lua", b"print('new')\n"), FolderFile("lib/net.lua", b"return {}\n" * 300))
EXIT_LOSS: Final = 8
EXIT_ROOM: Final = 4


def request(data: bytes = NEW, **more: Any) -> FlashRequest:  # noqa: ANN401 - fields of it
    return FlashRequest(files=(InputFile("new.bin", data),), **{"connect": STUB, "boot_check": False, **more})


def old_flash(files: Mapping[bytes, bytes] = SMALL) -> bytes:
    return with_files(RELEASE["2.2.1"], MB, IROM_END, files)


def on(wire: Wire, release: str = "3.0") -> dict[bytes, bytes]:
    """The files that a release finds in the flash of a board."""
    found = mounted(RELEASE[release], content(wire, 0, MB), IROM_END)
    assert found is not None, "it formats"
    assert found[1].check() == []
    return contents(found[1])


class Saves:
    """Saves copies, and sees that nothing was erased before."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.before = wire, content(wire, 0, MB)
        self.copies: list[Backup] = []

    def __call__(self, backup: Backup) -> str:
        assert content(self.wire, 0, MB) == self.before, "nothing is erased before a copy is saved"
        self.copies.append(backup)
        return f"copy-{len(self.copies)}.bin"


@pytest.mark.parametrize("way", FEW_WAYS)
def test_files_are_kept_with_every_stub_and_without(way: str) -> None:
    wire = board(old_flash(), "1MB")
    save = Saves(wire)

    result = flash(wire, request(keep_files=True, connect=ConnectOptions(stub=way)), save=save)

    assert result.ok
    assert on(wire) == SMALL
    assert [copy.files for copy in save.copies] == [True]
    assert result.saved_files is not None
    assert result.saved_files.path == "copy-1.bin"
    fields = result.document["results"][0]["files"]
    assert (fields["way"], fields["from"], len(fields["files"])) == ("built", 0x30000, len(SMALL))
    assert fields["saved"]["path"] == "copy-1.bin"
    assert any("copy-1.bin" in str(note) for note in result.words.notes)


def test_a_saved_copy_finishes_the_job() -> None:
    wire = board(old_flash(), "1MB")
    save = Saves(wire)
    flash(wire, request(keep_files=True), save=save)
    other = board(b"", "1MB")

    flash(other, request(restore=InputFile("copy.bin", save.copies[0].data)))

    assert on(other) == SMALL


@pytest.mark.long
def test_a_dump_is_a_copy_too() -> None:
    wire = board(b"", "1MB")

    flash(wire, request(restore=InputFile("dump.bin", old_flash())))

    assert on(wire) == SMALL


def test_files_of_a_folder() -> None:
    wire = board(b"", "1MB")

    result = flash(wire, request(content=OWN))

    assert on(wire) == {file.name.encode(): file.data for file in OWN}
    assert result.plan is not None
    assert any("2 files" in change for change in result.plan.changes)


@pytest.mark.long
def test_files_of_a_folder_beside_those_that_are_kept() -> None:
    wire = board(old_flash(), "1MB")

    flash(wire, request(content=OWN, keep_files=True), save=Saves(wire))

    assert on(wire) == SMALL | {file.name.encode(): file.data for file in OWN}


def test_files_of_a_folder_are_not_put_over_others_unasked() -> None:
    before = old_flash()
    wire = board(before, "1MB")

    with pytest.raises(LossError) as caught:
        flash(wire, request(content=OWN))

    assert exit_code_of(caught.value) == EXIT_LOSS
    assert content(wire, 0, MB) == before
    flash(wire, request(content=OWN, lose=frozenset({"files"})))
    assert set(on(wire)) == {file.name.encode() for file in OWN}


def test_magics_alone_are_renewed_where_that_is_enough() -> None:
    """The old formula's magics, at a place where the new release looks: two bytes a block."""
    old = RELEASE["2.1.0-20170521"]
    wire = board(with_files(old, MB, IROM_END, SMALL), "1MB")

    result = flash(wire, request(RELEASE["2.2.1"].image(), keep_files=True), save=Saves(wire))

    assert result.plan is not None
    assert result.plan.files is not None
    assert result.plan.files.way.value == "magics"
    assert on(wire, "2.2.1") == SMALL
    assert any("only the magics" in change for change in result.plan.changes)


def test_files_that_stay_are_left_alone() -> None:
    before = old_flash()
    wire = board(before, "1MB")
    image = RELEASE["2.2.1"].image()

    result = flash(
        wire, request(image[:0x18000] + b"\x55" * 16 + image[0x18010:], keep_files=True), save=Saves(wire)
    )

    assert result.plan is not None
    assert result.plan.files is not None
    assert (result.plan.files.way.value, result.plan.files.pieces) == ("stay", ())
    assert content(wire, 0x30000, 0x80000) == before[0x30000:0xB0000]


def test_too_many_files_are_refused_with_the_bytes() -> None:
    files = {**SMALL, b"long": bytes(60_000)}
    before = old_flash(files)
    wire = board(before, "1MB")
    image = from_3(spiffs=0x10000)

    with pytest.raises(FileRoomError, match="too many") as caught:
        flash(wire, request(image, keep_files=True), save=Saves(wire))

    assert exit_code_of(caught.value) == EXIT_ROOM
    assert caught.value.too_many % 256 == 0
    assert content(wire, 0, MB) == before


def test_a_name_that_the_firmware_cannot_open_is_refused() -> None:
    long = FolderFile("a/name/of/thirty-two/bytes/long.", b"x")
    wire = board(b"", "1MB")

    with pytest.raises(FileNameError) as caught:
        flash(wire, request(content=(long, *OWN)))

    assert caught.value.names == (long.name,)
    assert exit_code_of(caught.value) == EXIT_ROOM


@pytest.mark.long
def test_a_damaged_file_is_not_kept_in_silence() -> None:
    before = bytearray(old_flash())
    page = bytes(before).index(SMALL[b"one-page.bin"])
    before[page - 5] ^= 0x40
    wire = board(bytes(before), "1MB")

    with pytest.raises(LossError, match=r"one-page\.bin") as caught:
        flash(wire, request(keep_files=True), save=Saves(wire))

    assert caught.value.losses[0].files == ("one-page.bin",)
    assert content(wire, 0, MB) == bytes(before)
    flash(wire, request(keep_files=True, lose=frozenset({"files"})), save=Saves(wire))
    assert on(wire) == {name: data for name, data in SMALL.items() if name != b"one-page.bin"}


@pytest.mark.long
def test_arduinos_files_lose_their_slash() -> None:
    files = {name: data for name, data in SLASHED.items() if len(data) < 2000}
    image = used(before_3("2.2.1"), {0x80000: spiffs(files, Variant(0x1000, 64, "constant"))}, MB)
    wire = board(image, "1MB")

    flash(wire, request(keep_files=True, lose=frozenset({"all"})), save=Saves(wire))

    assert on(wire) == {name[1:]: data for name, data in files.items()}


def test_a_sketch_that_is_updated_leaves_its_files_alone() -> None:
    files = {name: data for name, data in SLASHED.items() if len(data) < 2000}
    sketch = IMAGES["arduino/core-2.7.bin"]
    before = dumps.flash(MB, {0: sketch, 0xBB000: spiffs(files, Variant(0x1000, 64, "constant"))})
    wire = board(before, "1MB")
    save = Saves(wire)

    result = flash(wire, request(IMAGES["arduino/core-3.1.bin"], keep_files=True), save=save)

    assert content(wire, 0xBB000, 0x40000) == before[0xBB000:0xFB000]
    assert [copy.files for copy in save.copies] == [True]
    assert result.plan is not None
    assert "files-unknown" in {finding.code for finding in result.plan.findings}


def test_what_was_compiled_for_another_lua_is_named() -> None:
    """Header of Lua 5.1: signature, version, format, byte order, sizes, 1 for whole numbers."""
    code = b"\x1bLua\x51\0\1\4\4\4"
    files = (
        FolderFile("integer.lc", code + b"\4\1" + bytes(40)),
        FolderFile("float.lc", code + b"\x08\0" + bytes(40)),
        FolderFile("newer.lc", b"\x1bLua\x53" + bytes(40)),
    )

    result = flash(board(b"", "1MB"), request(content=files))

    assert result.plan is not None
    (finding,) = [each for each in result.plan.findings if each.code == "lua-compiled"]
    assert str(finding.message).endswith("compile again integer.lc, newer.lc")


def test_who_is_asked_may_keep_the_files() -> None:
    wire = board(old_flash(), "1MB")
    save = Saves(wire)

    result = flash(wire, request(), save=save, ask=lambda _: Answer.KEEP_FILES)

    assert result.ok
    assert on(wire) == SMALL
    assert [copy.files for copy in save.copies] == [True]


def test_a_board_without_files_has_none_to_keep() -> None:
    wire = board(b"", "1MB")

    result = flash(wire, request(keep_files=True), save=Saves(wire))

    assert result.plan is not None
    assert "no-files" in {finding.code for finding in result.plan.findings}


def test_a_broken_board_is_not_taken_for_one_without_files() -> None:
    """As a power cut leaves it: the first sector erased, and no file system that is found."""
    before = b"\xff" * 0x1000 + RELEASE["0.9.5"].image()[0x1000:]
    wire = board(before, "1MB")

    with pytest.raises(LayoutError, match="broken off"):
        flash(wire, request(keep_files=True), save=Saves(wire))


def test_what_cannot_be_asked_together() -> None:
    copy = InputFile("copy.bin", old_flash())
    for more in ({"keep_files": True}, {"content": OWN}):
        with pytest.raises(UsageError, match="two places"):
            flash(board(b"", "1MB"), request(restore=copy, **more))
    with pytest.raises(FormatError, match="no file system"):
        flash(board(b"", "1MB"), request(restore=InputFile("new.bin", NEW)))
    with pytest.raises(UsageError, match="saved"):
        flash(board(b"", "1MB"), request(keep_files=True))


# Faults and power cuts.


def faulty(seed: int) -> str:
    source = random.Random(seed)
    kinds = (
        f"cut=sector:{source.randint(1, 60)}:{source.random():.2f}",
        f"cut=page:{source.randint(1, 900)}:{source.random():.2f}",
        f"gone=in:{source.randint(13_000, 260_000)}:60s",
        f"seed={seed}:{source.randint(1, 5)}",
        f"skip=sector:{source.randint(1, 60)}",
        f"worn=0x{source.randrange(0x20000, 0xF0000):x}.{source.randrange(8)}",
    )
    return ",".join(source.sample(kinds, source.randint(1, 2)))


def check_nothing_is_lost(seed: int) -> None:
    """Files are there after the write, or were saved, and the saved copy puts them back."""
    before = old_flash()
    wire = board(before, "1MB", f"fault={faulty(seed)}")
    save = Saves(wire)

    result = flash_board(wire, request(keep_files=True), save=save)

    if result.error is None:
        assert on(wire) == SMALL
        return
    now = content(wire, 0, MB)
    if not save.copies:
        assert now == before, "nothing was saved, so nothing may have been written"
        return
    assert any("copy-1.bin" in str(note) for note in getattr(result.error, "__notes__", ()))
    again = board(now, "1MB")
    copy = InputFile("copy-1.bin", save.copies[0].data)
    flash(again, request(restore=copy, lose=frozenset({"all"})))
    assert on(again) == SMALL


@pytest.mark.parametrize("seed", range(1))
def test_faults_lose_no_file(seed: int) -> None:
    check_nothing_is_lost(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 501))
def test_many_faults_lose_no_file(seed: int) -> None:
    check_nothing_is_lost(seed)


# Rehearsed.


def test_a_rehearsal_needs_the_real_boot_rom() -> None:
    wire = board(old_flash(), "1MB")
    before = content(wire, 0, MB)

    with pytest.raises(FormatError, match="boot ROM"):
        flash(
            wire,
            request(rehearse=True, rom=InputFile("rom.bin", bytes(0x10000)), keep_files=True),
            save=Saves(wire),
        )

    assert content(wire, 0, MB) == before
