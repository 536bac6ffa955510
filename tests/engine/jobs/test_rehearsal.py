"""A write that is rehearsed: what is read for it, what is said, what is refused.

The boot is one of the test's own; real firmware is in tests/oracle/test_firmware_rehearsal.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from fixtures.filesystems import FILES as FEW
from fixtures.upgrades import MB, from_3
from imgtool.chip import SECTOR
from imgtool.device.session import ConnectOptions
from imgtool.engine.hints import hint_for
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.advise import AdviseRequest, advise
from imgtool.engine.jobs.flash import FlashRequest, RehearsedEvent, flash
from imgtool.engine.jobs.virtual import rehearsal
from imgtool.engine.verdicts import exit_code_of
from imgtool.errors import InterruptedRunError, RehearsalError, UsageError
from imgtool.virtual.board.session import Ending, FirmwareRun, Said
from tests.engine.jobs.boards import board
from tests.engine.jobs.boards import flash as content
from tests.nodemcu_files import RELEASES, with_files

if TYPE_CHECKING:
    from imgtool.device.events import Event
    from imgtool.engine.jobs.flash import Backup
    from imgtool.virtual.chip.store import Store
    from tests.support import Command, Put

FILES: Final = {name: data for name, data in FEW.items() if len(data) < 2000}
OLD: Final = with_files(next(each for each in RELEASES if each.name == "2.2.1"), MB, 0x20000, FILES)
NEW: Final = from_3(spiffs=0x20000)
EXIT: Final = 8
BANNER: Final = b"\n ets Jan  8 2013,rst cause:1, boot mode:(3,6)\n\nload 0x40100000, len 28740, room 16 \n"
RUNS: Final = BANNER + b"\nNodeMCU 3.0.0.0 \nlua: cannot open init.lua\n> "
LOOPS: Final = (BANNER + b"\nrf_cal[0] !=0x05,is 0xFF\n") * 4
DAMAGED: Final = BANNER + b"csum err\nets_main.c \n"


@dataclass
class Boot:
    """A boot that looks at some addresses of the flash, writes to others, and says something.

    Attributes:
        log: What it says.
        reads: Addresses and bytes that it reads.
        writes: Sectors that it erases.
        listed: What it lists at its prompt.
    """

    log: bytes = RUNS
    reads: tuple[tuple[int, int], ...] = ()
    writes: tuple[int, ...] = ()
    listed: dict[bytes, int] | None = None
    seen: list[bytes] = field(default_factory=list)

    def run(self, store: Store, _seconds: float, on_time: Callable[[float], None]) -> FirmwareRun:
        self.seen += [store.read(address, size) for address, size in self.reads]
        for sector in self.writes:
            store.write(sector * SECTOR, b"\xff" * SECTOR)
        on_time(1.5)
        return FirmwareRun(
            ending=Ending.QUIET,
            said=(Said(115_200, self.log),),
            seconds=1.5,
            instructions=1,
            boots=self.log.count(BANNER),
        )


@pytest.fixture
def boots(monkeypatch: pytest.MonkeyPatch) -> Callable[[Boot], Boot]:
    """Has every rehearsal be one boot."""

    def be(boot: Boot) -> Boot:
        monkeypatch.setattr(rehearsal, "chip_for", lambda _, store: store)
        monkeypatch.setattr(rehearsal, "run_firmware", boot.run)
        monkeypatch.setattr(rehearsal, "listed_files", lambda _: boot.listed)
        return boot

    return be


def request(**more: Any) -> FlashRequest:  # noqa: ANN401 - fields of it
    usual = {"connect": ConnectOptions(stub="imgtool"), "boot_check": False, "rehearse": True}
    return FlashRequest(files=(InputFile("new.bin", NEW),), **{**usual, **more})


def fields(result: Any) -> dict[str, Any]:  # noqa: ANN401 - of either job
    found: dict[str, Any] = result.document["results"][0]["rehearsal"]
    return found


Boots = Callable[[Boot], Boot]


def test_only_what_the_boot_asks_for_is_read(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    end = from_end = MB - 0x1000
    boot = boots(Boot(reads=((0, 0x100), (from_end, 16), (0x9_0000, 4)), listed={}))
    told: list[Event] = []

    result = flash(wire, request(lose=frozenset({"all"})), told.append)

    assert boot.seen[0][:1] == b"\xe9"
    assert boot.seen[1:] == [OLD[end : end + 16], OLD[0x9_0000:0x9_0004]]
    assert fields(result)["read"] == {"bytes": 0x200, "of": MB, "reads": 2}
    first = next(event.message for event in told if "rehearsed" in event.message)
    assert "1,048,576 bytes" in first
    assert "baud" in first
    read = [event.done for event in told if event.stage == "rehearsal"]
    assert (read[0], read[-1]) == (0, 0x200)
    assert result.rehearsal_words is not None
    assert ("read", "512 of 1,048,576 bytes, in 2 reads") in [
        tuple(row) for row in result.rehearsal_words.rows
    ]


def test_it_boots_what_is_then_on_the_board(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    stretches = ((0, 0x4_0000), (0xF_8000, 0x8000))
    boot = boots(Boot(reads=stretches))

    flash(wire, request(lose=frozenset({"all"})))

    assert boot.seen == [content(wire, *stretch) for stretch in stretches]


def test_an_erased_flash_is_not_read(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    boot = boots(Boot(reads=((0, MB),)))

    result = flash(wire, request(lose=frozenset({"all"}), erase_all=True))

    assert boot.seen == [content(wire, 0, MB)]
    assert fields(result)["read"]["bytes"] == 0


@pytest.mark.long
def test_a_backup_is_all_that_is_read(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    boot = boots(Boot(reads=((0, MB),)))
    copies: list[Backup] = []

    def save(backup: Backup) -> str:
        copies.append(backup)
        return "copy.bin"

    result = flash(wire, request(backup=True), save=save)

    assert boot.seen == [content(wire, 0, MB)]
    assert copies[0].data == OLD
    assert fields(result)["read"] == {"bytes": 0, "of": MB, "reads": 0}


def test_files_that_are_kept_are_not_read_again(boots: Boots) -> None:
    """They were read to plan the write; the files have to be there, as the firmware lists them."""
    wire = board(OLD, "1MB")
    listed = {name: len(data) for name, data in FILES.items()}
    boot = boots(Boot(reads=((0x4_0000, 0x2_0000),), listed=listed))

    result = flash(wire, request(keep_files=True), save=lambda _: "copy.bin")

    assert boot.seen == [content(wire, 0x4_0000, 0x2_0000)]
    assert {file["path"] for file in fields(result)["files"]} == {name.decode() for name in FILES}
    assert fields(result)["listed"] is True


def test_a_file_that_the_firmware_does_not_list_stops_it(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    names = sorted(FILES)
    boots(Boot(listed={name: len(FILES[name]) for name in names[1:]}))

    with pytest.raises(
        RehearsalError, match=f"1 of {len(FILES)} files are gone: {names[0].decode()}"
    ) as caught:
        flash(wire, request(keep_files=True), save=lambda _: "copy.bin")

    assert exit_code_of(caught.value) == EXIT
    assert content(wire, 0, MB) == OLD


@pytest.mark.parametrize(
    ("log", "line", "cure"),
    [(DAMAGED, "csum err", "imgtool inspect"), (LOOPS, "rf_cal[0] !=0x05,is 0xFF", "init")],
)
def test_what_does_not_start_is_not_written(boots: Boots, log: bytes, line: str, cure: str) -> None:
    """The line that says why, and what to do."""
    wire = board(OLD, "1MB")
    boots(Boot(log=log))

    with pytest.raises(RehearsalError) as caught:
        flash(wire, request(lose=frozenset({"all"})))

    error = caught.value
    assert (exit_code_of(error), error.line) == (EXIT, line)
    assert f'it says "{line}"' in str(error)
    assert cure in hint_for(error)
    assert content(wire, 0, MB) == OLD


def test_a_dry_run_is_rehearsed_too(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    boots(Boot(listed={b"a.lua": 3}))
    told: list[Event] = []

    result = flash(wire, request(dry_run=True), told.append)

    assert fields(result)["files"] == [{"path": "a.lua", "size": 3, "address": None}]
    assert any(isinstance(event, RehearsedEvent) for event in told)
    assert content(wire, 0, MB) == OLD


def test_what_the_firmware_writes_is_named(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    boots(Boot(writes=(0xD, 0xFD, 0xFE)))

    result = flash(wire, request(lose=frozenset({"all"})))

    assert fields(result)["written"] == [
        {"address": 0xD000, "size": SECTOR, "name": "RF calibration"},
        {"address": 0xFD000, "size": 2 * SECTOR, "name": "the SDK's parameters"},
    ]


def test_a_file_system_that_is_formatted_is_told_from_one_that_is_kept(boots: Boots) -> None:
    result = advised(boots, Boot(writes=()), keep_files=True)
    assert fields(result)["formatted"] == []
    (system,) = result.rehearsal.tried.file_systems
    sectors = range(system.offset // SECTOR, (system.offset + system.size) // SECTOR)

    class Formats(Boot):
        def run(self, store: Store, seconds: float, on_time: Callable[[float], None]) -> FirmwareRun:
            before = store.read(system.offset, system.size)
            run = super().run(store, seconds, on_time)
            store.write(system.offset, before)
            return run

    result = advised(boots, Formats(writes=tuple(sectors)), keep_files=True)
    assert fields(result)["formatted"] == [system.offset]


def test_it_can_be_stopped(boots: Boots) -> None:
    wire = board(OLD, "1MB")
    boots(Boot())

    def stop(event: Event) -> None:
        if event.stage == "rehearsal":
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError, match="nothing was written"):
        flash(wire, request(lose=frozenset({"all"})), stop)

    assert content(wire, 0, MB) == OLD


# Held against an advice.


def advised(boots: Boots, boot: Boot, **more: Any) -> Any:  # noqa: ANN401 - an AdviseResult
    boots(boot)
    return advise(
        AdviseRequest(
            files=(InputFile("new.bin", NEW),), old=(InputFile("old.bin", OLD),), rehearse=True, **more
        )
    )


def test_an_advice_that_the_firmware_agrees_with(boots: Boots) -> None:
    listed = {name: len(data) for name, data in FILES.items()}

    result = advised(boots, Boot(listed=listed), keep_files=True)

    held = {point["topic"]: point for point in fields(result)["held"]}
    assert held["files"]["advised"] == "kept"
    assert all(point["agrees"] for point in held.values())
    assert result.ok
    assert any("agrees" in table.title for table in result.words.tables)


def test_an_advice_that_the_firmware_contradicts(boots: Boots) -> None:
    result = advised(boots, Boot(listed={}), keep_files=True)

    wrong = [point["topic"] for point in fields(result)["held"] if not point["agrees"]]
    assert wrong == ["files"]
    assert (result.ok, result.code) == (False, 1)
    assert any("the advice is contradicted: files" in table.title for table in result.words.tables)


def test_an_advice_that_it_starts_where_it_does_not(boots: Boots) -> None:
    result = advised(boots, Boot(log=LOOPS), keep_files=True)

    (start,) = fields(result)["held"]
    assert (start["topic"], start["agrees"]) == ("start", False)
    assert not result.ok


def test_what_would_not_be_written_is_not_rehearsed(boots: Boots) -> None:
    boots(Boot())
    large = InputFile("new.bin", NEW.ljust(2 * MB, b"\x01"))

    result = advise(AdviseRequest(files=(large,), old=(InputFile("old.bin", OLD),), rehearse=True))

    assert result.rehearsal is None
    assert any("nothing was rehearsed" in note for note in result.words.notes)
    assert fields(result) is None


def test_an_advice_on_a_board_is_not_rehearsed() -> None:
    with pytest.raises(UsageError, match="rehearsed by flash"):
        advise(AdviseRequest(files=(InputFile("new.bin", NEW),), rehearse=True), board(OLD, "1MB"))


# In the terminal.


def test_what_the_terminal_shows(
    boots: Boots, imgtool: Command, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("imgtool.cli.commands.board.flash.rom_file", lambda _: None)
    monkeypatch.setattr("imgtool.cli.commands.images.advise.rom_file", lambda _: None)
    put("old.bin", OLD)
    put("new.bin", NEW)
    boots(Boot(listed={b"a.lua": 3}, reads=((0x8_0000, 4),)))

    run = imgtool("flash", "-p", "sim:1MB,flash=old.bin", "--dry-run", "--rehearse", "new.bin")
    assert run.code == 0
    assert "it lists a.lua (3)" in run.out
    assert "256 of 1,048,576 bytes" in run.out
    assert max(map(len, run.out.splitlines())) <= 80

    run = imgtool("advise", "--rehearse", "old.bin", "new.bin")
    assert run.code == 1
    assert "Held against the rehearsal" in run.out
    assert max(len(line) for line in run.out.splitlines() if "imgtool " not in line) <= 80


def test_what_is_no_boot_rom(imgtool: Command, put: Put) -> None:
    put("old.bin", OLD)
    put("new.bin", NEW)
    put("rom.bin", bytes(0x10000))

    run = imgtool("advise", "--rehearse", "--rom", "rom.bin", "old.bin", "new.bin")

    assert run.code == 3
    assert "boot ROM" in run.err
