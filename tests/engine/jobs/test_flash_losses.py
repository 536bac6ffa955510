"""The job ``flash`` where something of the user's would be lost: it refuses, asks, or backs up first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from fixtures.upgrades import MB, before_3, from_3, spiffs, used
from imgtool.device.session import ConnectOptions
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.flash import Answer, FlashRequest, flash
from imgtool.engine.verdicts import exit_code_of
from imgtool.errors import ChipError, InterruptedRunError, LossError, UsageError
from imgtool.operations.flashing import safeguards
from tests.engine.jobs.boards import Stopping, board
from tests.engine.jobs.boards import flash as content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imgtool.device.wire import Wire
    from imgtool.engine.jobs.flash import Backup
    from imgtool.errors import LostThing
    from tests.support import Command, Put

STUB: Final = ConnectOptions(stub="imgtool")
OLD: Final = used(before_3("2.2.1"), {0x30000: spiffs(16)}, MB)
NEW: Final = from_3(0x32000)  # a little into the files
FILES: Final = frozenset({"files"})
EXIT: Final = 8


def request(data: bytes = NEW, **more: Any) -> FlashRequest:  # noqa: ANN401 - fields of it
    return FlashRequest(files=(InputFile("new.bin", data),), **{"connect": STUB, "boot_check": False, **more})


def old_board(data: bytes = OLD) -> Wire:
    return board(data, "1MB")


def all_of(wire: Wire) -> bytes:
    return content(wire, 0, MB)


# NodeMCU 2 to 3, with files.


def test_it_refuses_and_names_the_files() -> None:
    wire = old_board()

    with pytest.raises(LossError, match="nothing was written: SPIFFS at 0x030000") as caught:
        flash(wire, request())

    assert exit_code_of(caught.value) == EXIT
    assert [loss.files for loss in caught.value.losses] == [("init.lua",)]
    assert "init.lua" in str(caught.value)
    assert caught.value.data["losses"][0]["files"] == ["init.lua"]
    assert all_of(wire) == OLD


@pytest.mark.long
def test_what_is_given_up_is_lost_without_a_backup() -> None:
    wire = old_board()
    result = flash(wire, request(lose=FILES))
    assert (result.ok, result.backup) == (True, None)
    assert all_of(wire) != OLD


def test_giving_up_something_else_does_not_help() -> None:
    with pytest.raises(LossError):
        flash(old_board(), request(lose=frozenset({"settings", "lfs"})))


def test_a_dry_run_shows_the_losses_and_refuses_nothing() -> None:
    result = flash(old_board(), request(dry_run=True))
    assert result.plan is not None
    assert [str(loss.kind) for loss in result.plan.losses][:1] == ["files"]
    assert result.code == 0


# The backup; where it fails nothing is erased.


@pytest.fixture
def read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole flash is read without the chip's stub, which takes the virtual one seconds."""
    monkeypatch.setattr(safeguards, "read_flash", lambda *_, **__: OLD)


def backed_up_and_restored(wire: Wire) -> None:
    saved: list[bytes] = []

    def save(backup: Backup) -> str:
        assert all_of(wire) == OLD, "nothing is erased before the backup is saved"
        saved.append(backup.data)
        return "old.bin"

    result = flash(wire, request(backup=True, lose=FILES), save=save)

    assert result.ok
    assert result.backup is not None
    assert (result.backup.path, result.backup.size, saved) == ("old.bin", MB, [OLD])
    assert all_of(wire)[:0x1000] != OLD[:0x1000]
    assert any("old.bin" in str(note) for note in result.words.notes)
    flash(wire, request(OLD, lose=frozenset({"all"})))
    assert all_of(wire) == OLD


@pytest.mark.usefixtures("read_at_once")
def test_after_a_backup_it_goes_on_and_the_backup_restores_all() -> None:
    backed_up_and_restored(old_board())


@pytest.mark.long
def test_a_backup_that_the_stub_reads_restores_all() -> None:
    backed_up_and_restored(old_board())


def disk_full(_: Backup) -> str:
    raise UsageError("old.bin cannot be written: no space is left on the disk")


@pytest.mark.usefixtures("read_at_once")
def test_a_backup_that_cannot_be_saved_stops_before_the_first_erase() -> None:
    wire = old_board()
    with pytest.raises(UsageError, match="no space is left"):
        flash(wire, request(backup=True), save=disk_full)
    assert all_of(wire) == OLD


def test_a_read_error_stops_before_the_first_erase(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise ChipError("the content comes broken every time")

    monkeypatch.setattr(safeguards, "read_flash", broken)
    wire = old_board()
    with pytest.raises(ChipError, match="comes broken"):
        flash(wire, request(backup=True), save=lambda _: "old.bin")
    assert all_of(wire) == OLD


def test_stopped_while_it_backs_up_nothing_was_written() -> None:
    wire = old_board()
    with pytest.raises(InterruptedRunError, match="nothing was written"):
        flash(wire, request(backup=True), Stopping("backup"), save=lambda _: "old.bin")
    assert all_of(wire) == OLD


@pytest.mark.usefixtures("no_port_set")
def test_a_backup_replaces_no_file(imgtool: Command, put: Put, folder: Path) -> None:
    put("new.bin", NEW)
    put("board.bin", OLD)
    put("old.bin", b"another backup")

    run = imgtool("flash", "new.bin", "-p", "sim:1MB,flash=board.bin", "--backup", "old.bin")

    assert run.code == 2
    assert "is there already" in run.err
    assert (folder / "old.bin").read_bytes() == b"another backup"
    assert (folder / "board.bin").read_bytes() == OLD


# The question.


@pytest.mark.usefixtures("read_at_once")
@pytest.mark.parametrize(
    ("answer", "written", "backups"),
    [(Answer.BACKUP, True, 1), (Answer.LOSE, True, 0), (Answer.STOP, False, 0)],
)
def test_the_question(answer: Answer, written: bool, backups: int) -> None:
    wire = old_board()
    saved: list[Backup] = []
    asked: list[tuple[LostThing, ...]] = []

    def ask(losses: tuple[LostThing, ...]) -> Answer:
        asked.append(losses)
        return answer

    def save(backup: Backup) -> str:
        saved.append(backup)
        return "old.bin"

    try:
        flash(wire, request(), save=save, ask=ask)
    except LossError:
        assert not written
    assert [loss.files for losses in asked for loss in losses] == [("init.lua",)]
    assert (all_of(wire) != OLD, len(saved)) == (written, backups)


@pytest.mark.parametrize("how", [KeyboardInterrupt, lambda: InterruptedRunError("interrupted")])
def test_interrupted_in_the_question_nothing_was_written(how: Callable[[], BaseException]) -> None:
    wire = old_board()

    def ask(_: object) -> Answer:
        raise how()

    with pytest.raises(InterruptedRunError, match="nothing was written"):
        flash(wire, request(), ask=ask)
    assert all_of(wire) == OLD


def nobody(_: object) -> Answer:
    raise AssertionError("asked")


EMPTY: Final = used(before_3("2.2.1"), {}, MB)


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(b"\xff" * MB, id="erased", marks=pytest.mark.long),
        pytest.param(EMPTY, id="no files"),
        pytest.param(EMPTY[:0x1000].ljust(MB, b"\xff"), id="cut off", marks=pytest.mark.long),
    ],
)
def test_where_nothing_is_of_value_nobody_is_asked(old: bytes) -> None:
    assert flash(old_board(old), request(), ask=nobody).ok


def test_the_same_again_asks_nothing() -> None:
    wire = old_board()
    flash(wire, request(lose=FILES))
    result = flash(wire, request(), ask=nobody)
    assert result.plan is not None
    assert result.plan.losses == ()
