"""The job ``flash``: judged before a port is touched, planned before anything is written, told in the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from imgtool.device.session import ConnectOptions, Session
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.flash import (
    FlashRequest,
    PlannedEvent,
    boards_document,
    boards_words,
    code_of_boards,
    failed_board,
    flash,
    flash_board,
    judged,
    plan_without_board,
)
from imgtool.engine.ports import open_wire
from imgtool.errors import (
    ChipError,
    FormatError,
    ImgtoolError,
    InterruptedRunError,
    LayoutError,
    PortError,
    UsageError,
)
from tests.device.boards import chip_of
from tests.engine.jobs.boards import ROM, STOPS, Stopping, board
from tests.engine.jobs.boards import flash as content
from tests.support import IMAGES, Command, Put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imgtool.device.events import Event
    from imgtool.device.wire import Wire
    from imgtool.engine.results import Words

STUB: Final = ConnectOptions(stub="imgtool")
IMAGE: Final = IMAGES["sample/0x00000.bin"]
DATA: Final = b"settings".ljust(4096, b"\x5a")


def request(*files: InputFile, **more: Any) -> FlashRequest:  # noqa: ANN401 - fields of it
    return FlashRequest(files=files, **{"connect": ROM, "boot_check": False, **more})


def data(place: int = 0x40000) -> InputFile:
    return InputFile("data.bin", DATA, place)


class Untouchable:
    """A port that must not be used."""

    name = "never"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever is asked for
        raise AssertionError(name)


# The command and the job.


@pytest.mark.usefixtures("no_port_set")
@pytest.mark.parametrize("dry_run", [False, True])
def test_the_command_prints_the_document(imgtool: Command, put: Put, folder: Path, dry_run: bool) -> None:
    put("data.bin", DATA)
    for name in ("one", "two"):
        (folder / f"{name}.bin").write_bytes(b"\xff" * 0x80000)
    port = "sim:512KB,flash="
    words = ["0x40000", "data.bin", "--stub", "none", *(["--dry-run"] if dry_run else [])]

    run = imgtool("flash", *words, "-p", f"{port}one.bin", "--json")
    wire = open_wire(f"{port}two.bin")
    result = flash(wire, request(data(), dry_run=dry_run, boot_check=True))
    wire.close()

    assert json.loads(run.out.replace("one.bin", "two.bin")) == json.loads(json.dumps(result.document))
    assert run.code == result.code
    assert (folder / "one.bin").read_bytes() == (folder / "two.bin").read_bytes()


@pytest.mark.usefixtures("no_port_set")
def test_the_command_prints_the_document_of_a_plan_without_a_board(imgtool: Command, put: Put) -> None:
    put("image.bin", IMAGE)
    run = imgtool("flash", "image.bin", "--dry-run", "-fs", "8m", "--json")
    result = plan_without_board(request(InputFile("image.bin", IMAGE), old_size="8m", dry_run=True))

    assert json.loads(run.out) == json.loads(json.dumps(result.document))
    assert result.document["warnings"][0] == "-fs 8m is in megabits, as old tools had it: that is 1MB"
    assert (result.port, result.chip, result.ok, result.code, result.outputs) == (None, None, True, 0, ())


def test_a_size_tells_only_how_large_the_flash_is_where_nothing_has_a_header() -> None:
    app = InputFile("app.bin", IMAGES["rtos3/app.bin"], 0x10000)
    plan = plan_without_board(request(app, size="4MB", dry_run=True)).plan

    assert plan is not None
    assert ([piece.address for piece in plan.pieces], plan.changes) == ([0x10000], ())
    with pytest.raises(FormatError, match="no image header at address 0"):
        plan_without_board(request(app, size="4MB", mode="dio", dry_run=True))


# Files before ports.


@pytest.mark.parametrize(
    ("files", "more", "error", "words"),
    [
        ((), {}, UsageError, "no image is given"),
        ((InputFile("a.bin", IMAGE), InputFile("b.bin", IMAGE)), {}, UsageError, "both have no address"),
        ((data(),), {"verify": "maybe"}, UsageError, "not a way to verify"),
        ((data(),), {"force": frozenset({"hope"})}, UsageError, "there is no such check"),
        ((data(),), {"size": "3MB"}, UsageError, "not a flash size"),
        ((data(),), {"size": "4MB", "old_size": "4m"}, UsageError, "two flash sizes are given"),
        (
            (InputFile("page.html", b"<!DOCTYPE html>"),),
            {},
            FormatError,
            "this is a web page",
        ),
        ((InputFile("a.bin", IMAGE[:-1] + b"\0"),), {}, FormatError, "checksum"),
        ((data(), InputFile("more.bin", DATA, 0x40800)), {}, LayoutError, "overlap"),
    ],
)
def test_what_is_wrong_with_files_is_said_before_the_port_is_touched(
    files: tuple[InputFile, ...], more: dict[str, Any], error: type[ImgtoolError], words: str
) -> None:
    port: Any = Untouchable()

    with pytest.raises(error, match=words):
        flash(port, request(*files, **more))
    with pytest.raises(error, match=words):
        judged(request(*files, **more))


@pytest.mark.usefixtures("no_port_set")
def test_the_command_names_the_file_and_not_the_port_that_is_missing_too(imgtool: Command, put: Put) -> None:
    put("page.bin", b"<!DOCTYPE html><html></html>")

    run = imgtool("flash", "page.bin", "-p", "/dev/there-is-none")

    assert (run.code, "page.bin" in run.err, "there-is-none" in run.err) == (3, True, False)


# Plan, write, tell.


def told(words: Words) -> dict[str, str]:
    return {row.name: row.text for row in words.rows}


def test_the_plan_comes_before_anything_is_touched() -> None:
    wire = board()
    before, plans = content(wire), []

    def listen(event: Event) -> None:
        if isinstance(event, PlannedEvent):
            assert content(wire) == before
            plans.append(event.result)

    result = flash(wire, request(data()), listen)

    (planned,) = plans
    assert planned.plan is not None
    assert (planned.transfer, planned.summary) == (None, "planned")
    assert [(piece.address, piece.data) for piece in planned.plan.pieces] == [(0x40000, DATA)]
    assert planned.plan_words is not None
    assert {"chip", "flash", "stub", "time"} <= set(told(planned.plan_words))
    assert json.loads(json.dumps(planned.document))["results"][0]["plan"]["writes"][0]["address"] == 0x40000
    assert content(wire, 0x40000, 4096) == DATA
    assert result.words.verdict.startswith("written, not verified: 4,096 bytes")
    assert (result.ok, result.code, result.summary) == (True, 0, "ok, not verified")


def test_with_a_stub_it_is_verified_and_what_is_right_is_left_alone() -> None:
    wire = board()

    first = flash(wire, request(data(), connect=STUB))
    again = flash(wire, request(data(), connect=STUB))

    assert first.words.verdict.startswith("written and verified: 4,096 bytes")
    assert again.plan is not None
    assert again.plan.right == frozenset({0x40})
    assert again.words.verdict.startswith("nothing to write: 4,096 bytes are right already, verified")
    assert again.plan_words is not None
    assert told(again.plan_words)["time"].endswith("0 of 1 sectors differ")


@pytest.mark.parametrize("how", STOPS)
def test_stopped_at_the_plan_nothing_was_written(how: Callable[[], BaseException]) -> None:
    wire = board()
    before = content(wire)

    with pytest.raises(InterruptedRunError, match="interrupted: nothing was written"):
        flash(wire, request(data()), Stopping("plan", how))

    assert content(wire) == before
    assert chip_of(wire).is_open


@pytest.mark.parametrize("how", STOPS)
def test_stopped_while_it_writes_it_says_what_is_left(how: Callable[[], BaseException]) -> None:
    with pytest.raises(InterruptedRunError, match="interrupted: the flash is incomplete") as caught:
        flash(board(), request(data()), Stopping("write", how))

    assert caught.value.__notes__ == ["the same command again repairs it"]


def test_a_dry_run_writes_nothing() -> None:
    wire = board()
    before = content(wire)

    result = flash(wire, request(data(), dry_run=True))

    assert content(wire) == before
    assert (result.summary, result.words == result.plan_words) == ("planned", True)


def test_a_board_that_is_lost_has_a_result_with_its_error() -> None:
    wire = board()

    class Lost(Stopping):
        def __call__(self, event: Event) -> None:
            if event.stage == self.stage:
                raise PortError("the port is lost", source=wire.name)

    result = flash_board(wire, request(data()), Lost("plan"))

    assert result.error is not None
    assert (result.code, result.ok, result.summary) == (5, False, "the port is lost")
    assert result.fields["error"]["type"] == "PortError"
    assert result.words.verdict.endswith("the port is lost")


def test_how_the_firmware_starts() -> None:
    wire = board(spec="1MB")
    image = InputFile("image.bin", IMAGE)

    result = flash(wire, request(image, init_data="none", boot_check=True))

    assert result.boots
    assert result.boot is not None
    assert not result.boot_note
    assert (result.code, result.summary) == (0, "ok, not verified")
    assert told(result.words)["boot"] == result.boot.sentence
    commands = [command for cure in result.words.cures for command in cure.commands]
    assert commands
    assert all(command.startswith("imgtool ") for command in commands)


def nothing_heard(session: Session, seconds: float) -> bytes:
    session.wire.clock.sleep(seconds)
    return b""


def no_reset_line(_session: Session) -> bool:
    return False


def unplugged(_session: Session, _seconds: float) -> bytes:
    raise PortError("the port is gone", source="never")


@pytest.mark.parametrize(
    ("name", "answer", "note"),
    [
        ("hear", nothing_heard, "the chip said nothing after the reset"),
        ("run_firmware", no_reset_line, "reset the board to start the firmware"),
        ("hear", unplugged, "the port is gone"),
    ],
)
def test_why_it_is_not_known_how_the_firmware_starts(
    name: str, answer: Callable[..., object], note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, name, answer)

    result = flash(board(spec="1MB"), request(InputFile("data.bin", DATA, 0x40000), boot_check=True))

    assert result.boot is None
    assert result.transfer is not None
    assert result.transfer.written == len(DATA)
    assert note in str(result.boot_note)
    assert any(note in str(sentence) for sentence in result.words.notes)


# Several boards.


def test_several_boards() -> None:
    asked = request(data())
    good = flash(board(), asked)
    silent = failed_board("COM3", asked, ChipError("the chip is silent"))
    gone = failed_board("COM4", asked, ChipError("the chip is silent"))

    document = boards_document([good, silent, gone])
    words = boards_words([good, silent, gone])

    assert [result["port"] for result in document["results"]] == [good.port, "COM3", "COM4"]
    assert (document["ok"], code_of_boards([good, silent, gone]), code_of_boards([good])) == (False, 6, 0)
    assert words.verdict == "3 boards: 1 good, 2 failed"
    assert [row.name for row in words.rows] == ["error", "hint", "error"]
    assert len(words.tables[0].rows) == 3


def test_a_wire_stays_open() -> None:
    wire: Wire = board()

    flash(wire, request(data()))

    assert chip_of(wire).is_open
