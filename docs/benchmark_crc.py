"""Measure what docs/performance.md states of CRCs: imgtool's, crcmod's in C and crcmod's in Python, in turn.

Run by ``nox -s bench_crc``.  Not a test: a figure here depends on the machine, a ratio much less.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
from typing import TYPE_CHECKING

import crcmod.predefined
from crcmod import _crcfunpy as pure
from crcmod.crcmod import _mkTable, _mkTable_r

from imgtool.formats.checksums import crc32_mpeg2, sdk_crc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS = int(sys.argv[1]) if sys.argv[1:] else 11
DATA = hashlib.shake_128(b"crc").digest(1 << 20)
POLYNOMIAL, SEED, BITS = 0x1_04C1_1DB7, 0xFFFF_FFFF, 32
UPWARDS, DOWNWARDS = _mkTable_r(POLYNOMIAL, BITS), _mkTable(POLYNOMIAL, BITS)

MODELS: dict[str, Mapping[str, Callable[[bytes], int]]] = {
    "SDK image (JAMCRC)": {
        "ours": sdk_crc,
        "c": crcmod.predefined.mkPredefinedCrcFun("jamcrc"),
        "python": lambda data: pure._crc32r(data, SEED, UPWARDS),  # noqa: SLF001 - what runs without C
    },
    "Arduino image (CRC-32/MPEG-2)": {
        "ours": lambda data: crc32_mpeg2([data]),
        "c": crcmod.predefined.mkPredefinedCrcFun("crc-32-mpeg"),
        "python": lambda data: pure._crc32(data, SEED, DOWNWARDS),  # noqa: SLF001 - likewise
    },
}


def seconds(function: Callable[[bytes], int]) -> float:
    """How long one CRC takes."""
    begin = time.perf_counter()
    function(DATA)
    return time.perf_counter() - begin


def main() -> None:
    """Print the table: medians, each round in the other order than the one before."""
    print(f"Medians of {ROUNDS} rounds, 1 MB, Python {sys.version.split()[0]}.\n")
    print("| | imgtool | crcmod in C | ratio | crcmod in Python | ratio |")
    print("|---|---|---|---|---|---|")
    for title, functions in MODELS.items():
        if functions["c"](DATA) != functions["python"](DATA):
            sys.exit(f"crcmod does not agree with itself: {title}")
        rounds: list[dict[str, float]] = []
        for number in range(ROUNDS):
            names = list(functions) if number % 2 else list(functions)[::-1]
            took = {name: seconds(functions[name]) for name in names}
            rounds.append(took)
        ours, c, python = (statistics.median(each[name] for each in rounds) * 1000 for name in functions)
        to_c = statistics.median(each["ours"] / each["c"] for each in rounds)
        to_python = statistics.median(each["ours"] / each["python"] for each in rounds)
        cells = (
            f"{ours:.2f} ms",
            f"{c:.2f} ms",
            f"**{to_c:.2f}**",
            f"{python:.0f} ms",
            f"**{to_python:.3f}**",
        )
        print("|", " | ".join((title, *cells)), "|")


if __name__ == "__main__":
    main()
