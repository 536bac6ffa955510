"""The job ``prove``: what is kept while a block is written, and what is said of what was seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from imgtool.device.events import Event, ignore
from imgtool.engine.jobs.prove import ProveRequest, ProveResult, on_silicon, prove
from imgtool.engine.results import Output
from imgtool.errors import ChipError, InterruptedRunError, UsageError, VerifyError
from imgtool.operations.proof import observations
from imgtool.operations.proof.assumptions import ASSUMPTIONS, Amounts
from tests.engine.jobs.boards import MAC, STOPS, board, flash, is_open
from tests.support import Command

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.wire import Wire

BLOCK = 0x10000
CONTENT = b"code" * 64
MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
STEM = f"{MAC.replace(':', '')}-20260203-040506"
LITTLE = Amounts(
    requests=2, by_registers=64, digest=0x4000, read=512, write=0x2000, burst=0x800, sectors=1, blocks=2
)


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "prove_stub", partial(observations.prove_stub, amounts=LITTLE))


@dataclass
class Safe:
    """Keeps what a block held, and knows what happened when."""

    wire: Wire
    held: dict[str, bytes] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    flash_then: bytes = b""

    def keep(self, output: Output) -> None:
        self.flash_then = flash(self.wire)
        self.held[output.name] = output.data
        self.happened.append(f"kept {output.name}")

    def drop(self, name: str) -> None:
        del self.held[name]
        self.happened.append(f"dropped {name}")


def run(safe: Safe, on_event: Listener = ignore, **fields: Any) -> ProveResult:  # noqa: ANN401 - those of ProveRequest
    return prove(safe.wire, ProveRequest(moment=MOMENT, keep=safe.keep, drop=safe.drop, **fields), on_event)


def test_a_block_is_kept_before_it_is_written_and_until_it_is_put_back() -> None:
    wire = board(CONTENT)
    before, safe = flash(wire), Safe(wire)
    notes: list[str] = []
    result = run(
        safe, lambda e: notes.append(e.message) if e.stage == "note" else None, scratch=0, output="at/p.json"
    )

    name = f"at/imgtool-scratch-{STEM}.bin"
    assert safe.happened == [f"kept {name}", f"dropped {name}"]
    assert safe.flash_then == flash(wire) == before
    assert notes == [f"0x000000 is saved in {name}, and put back at the end"]
    assert (result.ok, result.code, result.silicon, result.proof.restored) == (True, 0, False, True)
    assert result.words.verdict == f"all {len(ASSUMPTIONS)} assumptions hold"
    assert result.words.notes == ("at/p.json has it all; no evidence: the chip is a virtual one",)
    ((path, text),) = result.outputs
    assert (path, json.loads(text)) == ("at/p.json", result.document)
    assert is_open(wire)


@pytest.mark.usefixtures("no_port_set")
def test_the_command_prints_the_document(imgtool: Command) -> None:
    printed = json.loads(imgtool("prove", "-p", f"sim:512KB,mac={MAC}", "--json", "--board", "mine").out)
    safe = Safe(board())
    result = run(safe, board="mine")

    assert printed["results"][0].pop("date") != result.document["results"][0].pop("date")
    assert printed == result.document
    assert result.outputs[0].name == f"imgtool-stub-{STEM}.json"
    assert safe.happened == []  # a blank block


def test_something_that_does_not_hold() -> None:
    safe = Safe(board(b"", "512KB", "fault=worn=0x20005.0"))
    result = run(safe, scratch=2 * BLOCK)

    assert (result.ok, result.code, result.proof.restored) == (False, 1, False)
    wrong = {finding.code for finding in result.words.findings}
    assert {"restored", "erase-block"} <= wrong
    assert f"{len(wrong)} wrong" in result.words.verdict


def test_no_block_is_blank() -> None:
    wire = board(b"".join(b"code".ljust(BLOCK, b"\xff") for _ in range(8)))

    with pytest.raises(UsageError, match="--scratch ADDR"):
        run(Safe(wire))
    with pytest.raises(UsageError, match="only a whole block"):
        ProveRequest(moment=MOMENT, keep=lambda _: None, scratch=0x11000)


def test_what_cannot_be_kept_is_not_written() -> None:
    wire = board(CONTENT)
    before = flash(wire)

    def full(_: Output) -> None:
        raise UsageError("the disk is full")

    with pytest.raises(UsageError, match="the disk is full"):
        prove(wire, ProveRequest(moment=MOMENT, keep=full, scratch=0))
    assert flash(wire) == before


@pytest.mark.parametrize("how", STOPS)
def test_stopped_and_put_back(how: Callable[[], BaseException]) -> None:
    wire = board(CONTENT)
    before, safe = flash(wire), Safe(wire)

    def stop(event: Event) -> None:
        # From the moment on when it is written, at each step: it has to be put back all the same.
        if event.stage == "prove" and flash(wire) != before:
            raise how()

    with pytest.raises(InterruptedRunError) as caught:
        run(safe, stop, scratch=0)
    assert str(caught.value) == "interrupted: the flash holds what it did"
    assert flash(wire) == before
    assert (safe.held, len(safe.happened)) == ({}, 2)


def test_what_cannot_be_put_back_stays_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = board(CONTENT)
    safe = Safe(wire)

    def stop(event: Event) -> None:
        if event.message == "erase-block":
            raise KeyboardInterrupt

    def lost(*_: object) -> tuple[int, ...]:
        raise ChipError("nothing answers")

    monkeypatch.setattr("imgtool.operations.proof.scratch.Scratch.restore", lost)
    with pytest.raises(VerifyError, match="could not be put back") as caught:
        run(safe, stop, scratch=0)
    ((name, data),) = safe.held.items()
    assert data[: len(CONTENT)] == CONTENT
    assert caught.value.__notes__ == [f"{name} holds what was there"]


@pytest.mark.parametrize(
    ("port", "silicon"),
    [
        ("sim:1MB", False),
        ("/dev/ttyUSB0", True),
        ("COM3", True),
        ("socket://x:1", None),
        ("/dev/pts/3", None),
    ],
)
def test_evidence(port: str, silicon: bool | None) -> None:
    assert on_silicon(port) is silicon
