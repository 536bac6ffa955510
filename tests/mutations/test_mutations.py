"""The run over mutants itself: that it finds faults that were planted, and goes on where it was stopped."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.inspect import InspectRequest, InspectResult, inspect
from tests.mutations import run as runs
from tests.mutations.judging import Failure, Judge
from tests.mutations.mutants import Bases, all_bases
from tests.mutations.run import BLOCK, Progress, judge_block, run
from tests.support import IMAGES

if TYPE_CHECKING:
    from pathlib import Path

NAMES: Final = ("init-data/v05.bin", "rboot/config.bin", "ram/hello.bin", "programs/hello.bin")
SEED: Final = 7
FILES: Final = {name: IMAGES[name] for name in NAMES}
BASES: Final = Bases(FILES, SEED)
WITH_CHECK: Final = "ram/hello.bin"


def planted(*, at: int, fault: Exception | None) -> Judge:
    """A judge of an imgtool that fails at one mutant; without an exception its process is killed."""

    def look(request: InspectRequest) -> InspectResult:
        if request.files[0].data == BASES.mutant(at).data:
            if fault is None:
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                raise fault
        return inspect(request)

    return Judge(BASES, look)


def test_a_mutant_is_made_anew_from_its_number() -> None:
    again = Bases(dict(reversed(FILES.items())), SEED)

    assert [BASES.mutant(n) for n in range(50)] == [again.mutant(n) for n in range(50)]
    assert again.key == BASES.key
    assert Bases(FILES, SEED + 1).key != BASES.key
    assert Bases({**FILES, "more": b"1"}, SEED).key != BASES.key
    changed = [mutant for mutant in map(BASES.mutant, range(200)) if mutant.data != FILES[mutant.base]]
    assert len(changed) > 100
    assert {mutant.base for mutant in changed} == {*NAMES}


def test_a_few_mutants_of_all_files_are_judged_well() -> None:
    bases = Bases({name: data for name, data in IMAGES.items() if len(data) < 0x1_0000}, SEED)

    assert judge_block(Judge(bases), 0) == []


@pytest.mark.parametrize("error", [ValueError("planted"), RecursionError("planted"), MemoryError("planted")])
def test_an_exception_is_found(error: Exception) -> None:
    (found,) = judge_block(planted(at=33, fault=error), 0)

    assert (found.number, found.kind, found.base) == (33, "exception", BASES.mutant(33).base)
    assert found.what.startswith(f"{type(error).__name__}: planted (test_mutations.py:")


def test_an_exception_of_what_writes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr("tests.mutations.judging.merge", fail)
    found = judge_block(Judge(BASES), 0)

    assert [(each.number % 50, each.kind) for each in found] == [(0, "exception")] * (BLOCK // 50)


def test_a_hang_is_found() -> None:
    def look(request: InspectRequest) -> InspectResult:
        while request.files[0].data == BASES.mutant(40).data:
            pass
        return inspect(request)

    (found,) = judge_block(Judge(BASES, look), 0, seconds=1)

    assert (found.number, found.kind) == (40, "hang")


def test_damage_that_is_called_good_is_found() -> None:
    """An imgtool that says of each mutant what it says of the good file."""
    bases = Bases({WITH_CHECK: FILES[WITH_CHECK]}, SEED)

    def blind(request: InspectRequest) -> InspectResult:
        name = request.files[0].name
        return inspect(InspectRequest((InputFile(name, bases.files[name]),)))

    found = judge_block(Judge(bases, blind), 0)
    right = judge_block(Judge(bases), 0)

    assert right == []
    assert len(found) > 50
    assert {each.kind for each in found} == {"unnoticed"}
    assert all("does not hold: XOR over" in each.what for each in found)


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state.jsonl"
    first = Progress(state, BASES.key)
    run(Judge(BASES), first, BLOCK, 2)
    with state.open("a") as file:
        file.write('{"key": "' + BASES.key + '", "blo')  # it was killed here
        file.write("\n" + json.dumps({"key": "another", "block": 1, "failures": []}) + "\n")
    again = Progress(state, BASES.key)

    assert (first.judged, again.judged, again.failures) == (BLOCK, BLOCK, {})
    assert again.left(3 * BLOCK) == [1, 2]
    assert again.left(BLOCK) == []


def test_what_failed_is_judged_again_first(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    run(planted(at=BLOCK + 3, fault=ValueError("planted")), Progress(state, BASES.key), 2 * BLOCK, 2)
    before = Progress(state, BASES.key)
    run(Judge(BASES), before, 2 * BLOCK, 2)

    assert [*Progress(state, BASES.key).failures] == []
    assert before.judged == 2 * BLOCK
    lines = [json.loads(line) for line in state.read_text().splitlines()]
    assert [line["block"] for line in lines][2:] == [1]


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "state.jsonl", BASES.key)
    run(planted(at=20, fault=None), progress, BLOCK, 1)

    (found,) = progress.failures.values()
    assert (found.number, found.kind) == (20, "died")
    assert progress.left(BLOCK) == [0]


def test_the_command_says_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "all_bases", lambda _: BASES)
    state = tmp_path / "state.jsonl"
    options = ["--count", str(BLOCK), "--processes", "1", "--state", str(state)]

    assert runs.main(options) == 0
    assert f"{BLOCK:,} mutants of {len(FILES)} files judged, 0 failures" in capsys.readouterr().out
    Progress(state, BASES.key).add(7, [Failure(7 * BLOCK, "exception", "x", "y", "z")])
    monkeypatch.setattr(runs, "run", lambda *_: None)
    assert runs.main(options) == 1
    assert f"{7 * BLOCK}: exception: x, y: z" in capsys.readouterr().out


def test_the_files_are_the_fixtures_and_the_real_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "real.bin").write_bytes(b"real")
    monkeypatch.setenv("IMGTOOL_CORPUS", str(tmp_path))

    files = all_bases(1).files
    assert files["corpus/real.bin"] == b"real"
    assert {f"fixtures/{name}" for name in NAMES} < {*files}
