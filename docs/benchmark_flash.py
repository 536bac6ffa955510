"""Measure what docs/performance.md states of ``imgtool flash``: it and esptool on the virtual chip.

Run by ``nox -s bench_flash``; needs esptool, and Linux, where a pseudo terminal tells the speed.  The seconds
are the virtual chip's own, modelled, by every set of constants of docs/virtual/timing.md; the machine that
runs this matters for the processor time of the tools alone.  After each run the flash is compared with what
must be there.

Each result is kept at once, as a JSON line, and one that is there and of the same versions is not made again:
a run that was stopped goes on where it was.  Not a test, and no figure of a real chip.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.flash_cases import ALL, BAUDS, LAST, QUIET, ROOT, TOOLS, Case, Run, cases, versions
from docs.flash_tables import Results, show, table

PATIENCE: Final = 900  # seconds until a tool that hangs is given up
CONTENT: Final = (b"\xc0\0\x11", b"\xc0\0\xe4")  # how frames begin that have content for the flash
BAD_VIOLATIONS: Final = ("no write enable", "busy", "protected")


def runs(arguments: argparse.Namespace) -> Iterator[Run]:
    """The runs that are asked for."""
    for tool in TOOLS:
        if arguments.only and not tool.name.startswith(arguments.only):
            continue
        for case in cases():
            for option in tool.options:
                for baud in option.bauds:
                    asked = arguments.case in (None, case.name) and arguments.baud in (None, baud)
                    if asked and case.name in option.cases:
                        yield Run(tool, option, case, baud)


# --- running -------------------------------------------------------------------------------------


class RunError(Exception):
    """A run that gives no figure, and why."""


class Chip:
    """``imgtool simulate`` in a process of its own, in a folder of its own."""

    def __init__(self, content: bytes, *words: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self._flash = self.folder / "flash.bin"
        self._flash.write_bytes(content)
        options = ("--flash", "flash.bin", "--flash-size", "4MB", "--report", "report.json", *words)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "imgtool", "simulate", *options],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self.port = self._process.stdout.readline().strip()
        if not self.port:
            raise RunError("imgtool simulate did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._folder.cleanup()

    def _end(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=PATIENCE)

    def finish(self) -> tuple[dict[str, Any], bytes]:
        """End it; its report, and what its flash holds."""
        self._end()
        if self._process.returncode:
            raise RunError(f"imgtool simulate ended with {self._process.returncode}")
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report, self._flash.read_bytes()


class Ended(NamedTuple):
    """A tool that did what it was asked: real and processor seconds, and its output."""

    wall: float
    cpu: float
    said: str


def environment() -> dict[str, str]:
    """The environment without what the tools would take from it, and with this tree before others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ESPTOOL", "IMGTOOL"))}
    return kept | {"NO_COLOR": "1", "COLUMNS": "200", "PYTHONPATH": str(ROOT)}


def call(words: Sequence[str], folder: Path) -> Ended:
    """Run a tool with this Python to its end.

    Raises:
        RunError: It ends with another exit code than 0, or hangs.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:  # pipes could fill up
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment(), stdout=output, stderr=errors
        )
        limit = threading.Timer(PATIENCE, process.kill)
        limit.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
        errors.seek(0)
        complaint = errors.read().decode(errors="replace")
    if process.returncode:
        raise RunError(
            f"{' '.join(words)} ended with {process.returncode}:\n{said[-2000:]}\n{complaint[-2000:]}"
        )
    return Ended(wall, usage.ru_utime + usage.ru_stime, said)


def write(run: Run, chip: Chip) -> Ended:
    """Have the tool of a run write its image to a chip."""
    (chip.folder / "image.bin").write_bytes(run.case.image)
    (chip.folder / "old.bin").write_bytes(run.case.before[: len(run.case.image)])
    values = {"PORT": chip.port, "BAUD": str(run.baud), "OLD": "old.bin"}
    template = (*run.tool.words, *run.option.words, *LAST, "0x0", "image.bin")
    return call([values.get(word, word) for word in template], chip.folder)


def measure(run: Run) -> dict[str, Any]:
    """Make one figure.

    Raises:
        RunError: The tool fails, the flash is wrong, or the chip had to put up with something.
    """
    with Chip(run.case.before, "--listen", "pty") as chip:
        done = write(run, chip)
        report, after = chip.finish()
    fault = run.case.fault(after, erased="--erase-all" in run.option.words)
    if fault is not None:
        raise RunError(f"{fault}\n{done.said[-2000:]}")
    if run.tool.verified is not None:
        verified = json.loads(done.said)["results"][0]["verified"]
        if verified != run.tool.verified:
            raise RunError(f"verified: {verified}, and not {run.tool.verified}")
    bad = [one for one in report["violations"] if one["kind"] in BAD_VIOLATIONS]
    if bad or report["traps"] or report["receive_overflows"]:
        raise RunError(f"not clean: {bad[:5]} {report['traps'][:1]} {report['receive_overflows']} overflows")
    return {
        "key": run.key,
        "seconds": [column["seconds"] for column in report["modelled_seconds"]],
        "host_cpu": round(done.cpu, 3),
        "wall": round(done.wall, 2),
        **{name: report[name] for name in ("bytes", "frames", "flash", "instructions")},
    }


def read_results(path: Path) -> Results:
    """The results of a file; a last line that was cut is left out."""
    results: Results = {}
    if path.exists():
        for line in path.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                fields = json.loads(line)
                results.setdefault(tuple(fields["key"]), []).append(fields)
    return results


def current(path: Path) -> Results:
    """The results of a file that are of the versions that are here."""
    found = read_results(path)
    here = {(tool.name, versions(tool)) for tool in TOOLS}
    results = {key: lines for key, lines in found.items() if (key[0], key[-1]) in here}
    if len(results) < len(found):
        print(f"{len(found) - len(results)} figures of other versions left out", file=sys.stderr)
    return results


def make(wanted: Sequence[Run], path: Path, jobs: int) -> int:
    """Make what is missing; how many runs failed."""
    there = read_results(path)
    # All of the first round before the second: whatever is there when it is stopped says most.
    missing = [
        run
        for number in range(max(run.tool.rounds for run in wanted))
        for run in wanted
        if len(there.get(run.key, ())) <= number < run.tool.rounds
    ]
    print(f"{len(missing)} results to make", file=sys.stderr)
    lock = threading.Lock()

    def one(run: Run) -> bool:
        try:
            fields = measure(run)
        except RunError as error:
            with lock:
                print(f"FAILED {run.title}: {error}", file=sys.stderr)
            return False
        with lock, path.open("a") as file:
            file.write(json.dumps(fields) + "\n")
            print(f"{fields['seconds'][0]:8.2f} s  {run.title} ({fields['wall']:.1f} s)", file=sys.stderr)
        return True

    with ThreadPoolExecutor(jobs) as pool:
        return sum(not good for good in pool.map(one, missing))


# --- many boards ---------------------------------------------------------------------------------


def boards(count: int) -> None:
    """Print how long so many boards at once take by one board, in real time.

    Without a stub: to interpret one for each board in real time takes a processor for each.

    Raises:
        RunError: imgtool fails, or a flash is wrong.
    """
    case = cases()[0]
    one, many = (together(case, number) for number in (1, count))
    print(f"{case.title}, 115200 baud, `--stub none`, chips in real time; real seconds of imgtool.\n")
    cells = (f"{one:.1f} s", f"{many:.1f} s", f"**{many / one:.2f}**", str(os.cpu_count()))
    table(("one board", f"{count} boards at once", "ratio", "processors"), [cells])


def together(case: Case, count: int) -> float:
    """Write the image to so many boards at once; seconds of imgtool."""
    with ExitStack() as stack:
        chips = [
            stack.enter_context(Chip(case.before, "--listen", "pty", "--realtime")) for _ in range(count)
        ]
        folder = chips[0].folder
        (folder / "image.bin").write_bytes(case.image)
        ports = [word for chip in chips for word in ("--port", chip.port)]
        words = ("-m", "imgtool", "flash", *ports, "--baud", "115200", "--stub", "none", *QUIET)
        done = call([*words, *LAST, "0x0", "image.bin"], folder)
        for number, chip in enumerate(chips, 1):
            fault = case.fault(chip.finish()[1], erased=False)
            if fault is not None:
                raise RunError(f"board {number} of {count}: {fault}")
    return done.wall


# --- the first byte ------------------------------------------------------------------------------


def first_bytes() -> None:
    """Print when the first frame with content for the flash is on the line, after power-on.

    On the chip's clock, which counts a client's own pauses of 20 ms and more.

    Raises:
        RunError: A tool fails.
    """
    case, rows = cases()[0], []
    with_stub = [tool for tool in TOOLS if tool.rounds > 1]
    for baud in BAUDS:
        moments = (first_byte(Run(tool, tool.options[0], case, baud)) for tool in with_stub)
        rows.append((str(baud), *(f"{moment:.2f}" for moment in moments)))
    print(f"{case.title}: seconds until the first content is on the line.\n")
    table(("baud", *(tool.name for tool in with_stub)), rows)


def first_byte(run: Run) -> float:
    """Seconds until the first frame of content."""
    with Chip(run.case.before, "--listen", "pty", "--record", "record.jsonl") as chip:
        write(run, chip)
        chip.finish()
        for line in (chip.folder / "record.jsonl").read_text().splitlines():
            fields = json.loads(line)
            if bytes.fromhex(fields.get("in", ""))[:3] in CONTENT:
                return float(fields["t"] / 1e9)
    raise RunError(f"{run.title}: no content was sent")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="imgtool and esptool on the virtual chip, every cell.")
    parser.add_argument("--results", type=Path, default=Path(".bench-flash.jsonl"), metavar="FILE")
    parser.add_argument("--only", metavar="TOOL", help="tools whose name begins so, such as imgtool")
    parser.add_argument("--case", choices=ALL)
    parser.add_argument("--baud", type=int, choices=BAUDS)
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="devices at a time")
    parser.add_argument("--table", action="store_true", help="make nothing, print what is there")
    parser.add_argument(
        "--boards", type=int, nargs="?", const=8, metavar="N", help="nothing but this: N boards at once"
    )
    parser.add_argument(
        "--first-byte", action="store_true", help="nothing but this: when the first content is on the line"
    )
    return parser.parse_args()


def main() -> None:
    """Make what is missing, and print the tables."""
    arguments = parse()
    if arguments.boards or arguments.first_byte:
        try:
            if arguments.boards:
                boards(arguments.boards)
            else:
                first_bytes()
        except RunError as error:
            sys.exit(str(error))
        return
    failed = 0 if arguments.table else make(list(runs(arguments)), arguments.results, arguments.jobs)
    show(current(arguments.results))
    if failed:
        sys.exit(f"{failed} runs failed")


if __name__ == "__main__":
    main()
