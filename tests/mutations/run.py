"""A run over many mutants, by several processes, that goes on where it was stopped.

``python -m tests.mutations.run --count 1000000``; the session ``mutations`` of nox does that.  Numbers that
were judged are in a file with a line for each block of them; those of which something wrong was said are
judged again first.  Each process has a limit of memory, each mutant one of time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.mutations.judging import Failure, Judge
from tests.mutations.mutants import Bases, all_bases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.sharedctypes import Synchronized
    from types import FrameType

__all__ = ["Progress", "judge_block", "main", "run"]

ROOT: Final = Path(__file__).parents[2]
STATE: Final = ROOT / ".nox" / "mutations.jsonl"
SECONDS: Final = 20.0
"""For one mutant; the slowest take about one."""
MEMORY: Final = 2 << 30
"""Bytes of address space for each process."""
BLOCK: Final = 500
_GRACE: Final = 3  # times SECONDS: then code that no signal reaches is taken for hanging
_LOOK: Final = 0.2  # s
_SHOWN: Final = 40  # failures


class HangError(BaseException):
    """A mutant takes too long; nothing in imgtool catches it."""


class Progress:
    """Which blocks of numbers were judged, and what was found; kept in a file.

    A file of other mutants is not gone on with: what a number means depends on the fixtures.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        self.done: set[int] = set()
        self.failures: dict[int, Failure] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            self._take(line)

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return  # the run was stopped while it wrote that
        if entry["key"] != self.key:
            return
        self.done.add(entry["block"])
        start = entry["block"] * BLOCK
        for number in range(start, start + BLOCK):
            self.failures.pop(number, None)  # judged again
        self.failures |= {each[0]: Failure(*each) for each in entry["failures"]}

    def add(self, block: int, failures: Iterable[Failure]) -> None:
        """Note that a block was judged."""
        line = json.dumps({"key": self.key, "block": block, "failures": [list(each) for each in failures]})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(line + "\n")
        self._take(line)

    def left(self, count: int) -> list[int]:
        """The blocks that are to be judged for so many numbers: those with failures first, again."""
        again = sorted({number // BLOCK for number in self.failures})
        return again + [block for block in range(-(-count // BLOCK)) if block not in self.done]

    @property
    def judged(self) -> int:
        """How many mutants were judged."""
        return len(self.done) * BLOCK


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`HangError` in what takes longer."""

    def too_long(_signal: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge_block(
    judge: Judge, block: int, seconds: float = SECONDS, now: Synchronized[int] | None = None
) -> list[Failure]:
    """What is wrong about what is said of the mutants of a block.

    Args:
        judge: Who judges.
        block: Which block.
        seconds: For each mutant.
        now: Is set to the number of the mutant that is judged.
    """
    failures: list[Failure] = []
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        mutant = judge.bases.mutant(number)
        if now is not None:
            now.value = number
        try:
            with _time_limit(seconds):
                found = judge.failure(mutant)
        except HangError:
            what = f"more than {seconds:g} s"
            found = Failure(number, "hang", mutant.base, mutant.how, what)
        if found is not None:
            failures.append(found)
    return failures


class _Worker(NamedTuple):
    """A process that judges one block, and the number at which it is, with the time of that."""

    process: multiprocessing.process.BaseProcess
    block: int
    now: Synchronized[int]
    answers: multiprocessing.connection.Connection
    seen: list[float]


def _work(
    judge: Judge, block: int, now: Synchronized[int], answers: multiprocessing.connection.Connection
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers.send(judge_block(judge, block, now=now))


def _start(judge: Judge, block: int) -> _Worker:
    context = multiprocessing.get_context("fork")
    mine, its = context.Pipe(duplex=False)
    now = context.Value("q", -1)
    process = context.Process(target=_work, args=(judge, block, now, its))
    process.start()
    its.close()
    return _Worker(process, block, now, mine, [time.monotonic(), -1])


def _ended(worker: _Worker, bases: Bases) -> list[Failure] | None:
    """What a process found; None where it goes on."""
    if worker.answers.poll():
        try:
            found: list[Failure] = worker.answers.recv()
        except EOFError:
            worker.process.join()
            return [_fallen(worker, bases, "died", f"the process ended with {worker.process.exitcode}")]
        worker.process.join()
        return found
    number = worker.now.value
    if number != worker.seen[1]:
        worker.seen[:] = [time.monotonic(), number]
    elif time.monotonic() - worker.seen[0] > _GRACE * SECONDS:
        worker.process.kill()
        worker.process.join()
        return [_fallen(worker, bases, "hang", f"{_GRACE * SECONDS:g} s where no signal comes")]
    return None


def _fallen(worker: _Worker, bases: Bases, kind: str, what: str) -> Failure:
    """That a process went no further than some mutant; the rest of the block is judged when it is gone on."""
    number = max(worker.now.value, worker.block * BLOCK)
    mutant = bases.mutant(number)
    return Failure(number, kind, mutant.base, mutant.how, what)


def run(judge: Judge, progress: Progress, count: int, processes: int) -> None:
    """Judge what is left of so many mutants."""
    left = progress.left(count)
    running: list[_Worker] = []
    begun, before = time.monotonic(), progress.judged
    try:
        while left or running:
            while left and len(running) < processes:
                running.append(_start(judge, left.pop(0)))
            time.sleep(_LOOK)
            for worker in [*running]:
                found = _ended(worker, judge.bases)
                if found is not None:
                    running.remove(worker)
                    worker.answers.close()
                    progress.add(worker.block, found)
                    _tell(progress, count, (progress.judged - before) / (time.monotonic() - begun))
    finally:
        for worker in running:
            worker.process.kill()
            worker.process.join()


def _say(words: str, end: str = "\n") -> None:
    sys.stdout.write(words + end)
    sys.stdout.flush()


def _tell(progress: Progress, count: int, rate: float) -> None:
    _say(
        f"{progress.judged:,} of {count:,} mutants, {len(progress.failures)} failures, {rate:.0f}/s",
        end="\r" if sys.stdout.isatty() else "\n",
    )


def main(arguments: list[str] | None = None) -> int:
    """Run, and say what was found; 1 where something was."""
    parser = argparse.ArgumentParser(prog="mutations", description="Judge what is said of mutants.")
    parser.add_argument("--count", type=int, default=1_000_000, help="mutants in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of their numbers (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at a time (%(default)s)")
    parser.add_argument("--state", type=Path, default=STATE, help="what was judged already (%(default)s)")
    options = parser.parse_args(arguments)
    bases = all_bases(options.seed)
    progress = Progress(options.state, bases.key)
    try:
        run(Judge(bases), progress, options.count, options.processes)
    except KeyboardInterrupt:
        _say("\nstopped; the same command goes on")
    _say(
        f"\n{progress.judged:,} mutants of {len(bases.files)} files judged, {len(progress.failures)} failures"
    )
    for failure in [*progress.failures.values()][:_SHOWN]:
        _say(f"{failure.number}: {failure.kind}: {failure.base}, {failure.how}: {failure.what}")
    return 1 if progress.failures else 0


if __name__ == "__main__":
    sys.exit(main())
