"""Measure what docs/performance.md states of boot logs: ``explain`` on 5 MB, this tree and another in turn.

Run by ``nox -s bench_explain [-- OTHER_TREE]``.  Not a test: a figure here depends on the machine, a ratio
much less.  Each run is a process of its own; the processor time of it is counted, the start of Python not.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

HERE: Final = Path(__file__).resolve().parents[1]
SIZE: Final = 5_000_000
ROUNDS: Final = 5
BOOT: Final = (
    " ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\nload 0x40100000, len 28740, room 16 \r\ntail 4\r\n"
    "chksum 0xe7\r\nload 0x3ffe8000, len 2888, room 4 \r\ntail 4\r\nchksum 0xd6\r\ncsum 0xd6\r\n"
)
CRASH: Final = (
    "Exception (28):\r\nepc1=0x402103f4 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 "
    "depc=0x00000000\r\n\r\n"
    ">>>stack>>>\r\nctx: cont\r\nsp: 3ffffdb0 end: 3fffffc0 offset: 0190\r\n"
    + "3fffff40:  3ffee480 40201c55 feefeffe 4000050c\r\n" * 60
    + "<<<stack<<<\r\n"
)
WORDS: Final = [
    "the",
    "sensor",
    "value",
    "is",
    "sent",
    "to",
    "the",
    "broker",
    "error",
    "mqtt",
    "state",
    "wifi",
    "loop",
    "free",
    "heap",
    "12345",
    "ready",
]
RUN: Final = (
    "import sys, time; data = sys.stdin.buffer.read(); "
    "from imgtool.engine.boot_logs import explain; explain(b''); "
    "begin = time.process_time(); explain(data); print(time.process_time() - begin)"
)


def repeated(text: str) -> str:
    """A text again and again, to the size of a log."""
    return text * (SIZE // len(text))


def made(line: Callable[[Random], str]) -> str:
    """A boot, and lines behind it, to the size of a log."""
    random = Random(1)  # noqa: S311 - the same log each time
    lines = [BOOT]
    size = 0
    while size < SIZE:
        lines.append(line(random))
        size += len(lines[-1])
    return "".join(lines)


LOGS: Final[dict[str, str]] = {
    "one boot after the other": repeated(BOOT + "rf_cal[0] !=0x05,is 0xFF\r\n"),
    "one crash after the other": repeated(BOOT + CRASH),
    "a sketch that talks, with times": made(
        lambda random: (
            f"12:00:{random.randrange(60):02}.{random.randrange(1000):03} -> "
            f"{' '.join(random.choices(WORDS, k=7))}\r\n"
        )
    ),
    "numbers, one a line": made(lambda random: f"{random.randrange(1000)}\n"),
    "a radio that comes and goes": made(
        lambda random: random.choice(
            ("scandone\r\n", "state: 0 -> 2 (b0)\r\n", "bcn_timout,ap_probe_send_start\r\n", "E:M 1576\r\n")
        )
    ),
    "noise": made(lambda random: "".join(map(chr, random.choices(range(1, 256), k=40))) + "\r\n"),
}


def seconds(tree: Path, log: bytes) -> float:
    """Processor time that the imgtool of a tree takes to explain a log, s."""
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=log,
        capture_output=True,
        check=True,
        cwd=tree,
        env={"PYTHONPATH": str(tree)},
    )
    return float(done.stdout)


def main() -> None:
    """Print a line for each log."""
    other = Path(sys.argv[1]).resolve() if sys.argv[1:] else None
    for name, text in LOGS.items():
        log = text.encode("latin-1")
        pairs = [(seconds(HERE, log), None if other is None else seconds(other, log)) for _ in range(ROUNDS)]
        own = statistics.median(first for first, _ in pairs)
        ratios = [first / second for first, second in pairs if second is not None]
        ratio = f", {statistics.median(ratios):.2f} of the other tree's" if ratios else ""
        print(f"{name:34} {own:5.2f} s{ratio}", flush=True)


if __name__ == "__main__":
    main()
