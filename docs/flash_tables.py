"""The tables of ``benchmark_flash.py``, as docs/performance.md has them, from its results."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

from docs.flash_cases import BAUDS, FLASH, OPTIONS, PAIRS, ROUNDS, TOOLS, Case, Run, cases, image
from fixtures.blocks import SECTOR
from imgtool.virtual.chip.ledger import COLUMNS, HOST_FIXED_NS, INSTRUCTION_NS, digest_ns
from imgtool.virtual.chip.nor import MAXIMUM, TYPICAL, TYPICAL_BLANK

Results = dict[tuple[str, ...], list[dict[str, Any]]]
"""Lines of the results' file by their key."""


class Best(NamedTuple):
    """The fastest way of a tool in one column."""

    option: str
    seconds: float
    host_cpu: float


class Board(NamedTuple):
    """All results of the versions that are here, for the tables."""

    results: Results

    def best(self, tool: str, case: Case, baud: int, column: int = 0) -> Best | None:
        """The fastest option of a tool, None where one of them has no result yet."""
        found = self.all(tool, case, baud, column)
        return min(found, key=lambda best: best.seconds) if found else None

    def all(self, tool: str, case: Case, baud: int, column: int = 0) -> list[Best]:
        """Every option of a tool; none where one has no result yet."""
        (used,) = (one for one in TOOLS if one.name == tool)
        asked = [one for one in used.options if case.name in one.cases and baud in one.bauds]
        keys = [Run(used, option, case, baud).key for option in asked]
        if any(key not in self.results for key in keys):
            return []
        return [
            Best(
                option.name,
                median(line["seconds"][column] for line in self.results[key]),
                median(line["host_cpu"] for line in self.results[key]),
            )
            for option, key in zip(asked, keys, strict=True)
        ]

    def ratio(self, theirs: str, ours: str, case: Case, baud: int, column: int = 0) -> float | None:
        """Our seconds by their best."""
        their, our = self.best(theirs, case, baud, column), self.best(ours, case, baud, column)
        return None if their is None or our is None else our.seconds / their.seconds


def rows() -> Iterator[tuple[Case, int]]:
    """The rows of every table."""
    return ((case, baud) for case in cases() for baud in BAUDS)


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in body:
        print(f"| {' | '.join(row)} |")
    print()


def shown(value: float | None, form: str = "{:.2f}") -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else form.format(value)


def code(option: str) -> str:
    """An option as Markdown shows what is typed."""
    return f"`{option}`" if option.startswith("-") else option


def constants() -> str:
    """What every figure rests on."""
    pairs = (
        f"{what} {getattr(TYPICAL, name) / 1e6:,g} ms, maximum {getattr(MAXIMUM, name) / 1e6:,g} ms"
        for what, name in (
            ("page program", "page"),
            ("erase of 4 KB", "sector"),
            ("of 32 KB", "block32"),
            ("of 64 KB", "block64"),
            ("of the chip", "chip"),
        )
    )
    latencies = " or ".join(dict.fromkeys(f"{column.latency_ms} ms" for column in COLUMNS))
    return (
        "All seconds are modelled and none was measured on a chip. The constants: 10 bits a byte on the line;"
        f" {latencies} for the host's turn-round; flash, typical: {'; '.join(pairs)};"
        f" a page of 0xFF in full or short, {TYPICAL_BLANK.blank_page / 1e6:g} ms;"
        f" {INSTRUCTION_NS} ns an instruction;"
        f" a digest of flash content {1e9 / digest_ns(1_000_000):.2f} MB/s;"
        f" {HOST_FIXED_NS / 1e9:g} s for the host, fixed."
        " They were chosen before any result; see [modelled time](virtual/timing.md). The first column"
        " (1 ms, typical, full) is the headline.\n"
    )


def headline(board: Board) -> None:
    """Print the first column of all pairs."""
    print("Modelled seconds in the headline column; a ratio is ours by theirs.\n")

    def cells(case: Case, baud: int) -> Iterator[str]:
        yield from (case.title, str(baud))
        shown_of = ""
        for _, theirs, ours in PAIRS:
            their = board.best(theirs, case, baud)
            if theirs != shown_of:
                yield shown(their and their.seconds)
            if theirs == "esptool" != shown_of:
                yield "-" if their is None else code(their.option)
            shown_of = theirs
            our = board.best(ours, case, baud)
            yield shown(our and our.seconds)
            yield shown(board.ratio(theirs, ours, case, baud), "**{:.2f}**")

    table(
        (
            "",
            "baud",
            "esptool",
            "by",
            "imgtool, esptool's stub",
            "ratio",
            "imgtool, own stub",
            "ratio",
            "esptool `--no-stub`",
            "imgtool `--stub none`",
            "ratio",
        ),
        (tuple(cells(case, baud)) for case, baud in rows()),
    )


def options(board: Board) -> None:
    """Print each of esptool's options in the headline column."""
    names = list(dict.fromkeys(option.name for option in OPTIONS))

    def cells(case: Case, baud: int) -> Iterator[str]:
        found = {best.option: best.seconds for best in board.all("esptool", case, baud)}
        yield from (case.title, str(baud))
        yield from (shown(found.get(name)) for name in names)

    print("esptool's options with its stub, modelled seconds in the headline column.\n")
    table(("", "baud", *(code(name) for name in names)), (tuple(cells(*row)) for row in rows()))


def columns(board: Board) -> list[int]:
    """The numbers of the columns to show: the half with counted digests only where it differs."""
    every = range(len(COLUMNS))
    differing = [
        n
        for n in every
        for lines in board.results.values()
        if COLUMNS[n].digest == "counted" and lines[0]["seconds"][n] != lines[0]["seconds"][n - 1]
    ]
    return [n for n in every if differing or COLUMNS[n].digest == "equal"]


def spread(board: Board) -> str:
    """How far runs of the same differ."""
    columns_of = [
        list(zip(*(line["seconds"] for line in lines), strict=True)) for lines in board.results.values()
    ]
    worst = max((max(c) / min(c) - 1 for columns in columns_of for c in columns), default=0.0)
    return f"A figure is a median of {ROUNDS} runs where a stub runs; they differ by {worst:.1%} at most.\n"


def every_column(board: Board, title: str, theirs: str, ours: str) -> None:
    """Print the ratio in every column, the worst one bold, and where esptool's best option is another."""
    numbers = columns(board)
    ratios = {(c.name, b, n): board.ratio(theirs, ours, c, b, n) for c, b in rows() for n in numbers}
    worst = max((ratio for ratio in ratios.values() if ratio is not None), default=None)

    def cell(ratio: float | None) -> str:
        return f"**{ratio:.2f}**" if ratio is not None and ratio == worst else shown(ratio)

    print(f"Ratio in every column, {title}; the worst is bold.", end=" ")
    if len(numbers) < len(COLUMNS):
        print("With counted digests every figure is the same.", end="")
    print("\n")
    heads = (f"{c.latency_ms} ms, {c.flash}, {c.blank_pages}" for c in (COLUMNS[n] for n in numbers))
    if len(numbers) == len(COLUMNS):
        heads = (f"{head}, {COLUMNS[n].digest}" for head, n in zip(heads, numbers, strict=True))
    table(
        ("", "baud", *heads),
        ((c.title, str(b), *(cell(ratios[c.name, b, n]) for n in numbers)) for c, b in rows()),
    )
    others = [other for case, baud in rows() for other in other_options(board, theirs, case, baud, numbers)]
    if others:
        print("esptool's best option is another than in the headline column:\n")
        print("\n".join(f"- {other}" for other in others) + "\n")


def other_options(board: Board, tool: str, case: Case, baud: int, numbers: Sequence[int]) -> Iterator[str]:
    """Say in which columns another option is best."""
    first = board.best(tool, case, baud)
    groups: dict[str, list[str]] = {}
    for number in numbers:
        best, column = board.best(tool, case, baud, number), COLUMNS[number]
        if first is not None and best is not None and best.option != first.option:
            place = f"{column.latency_ms} ms, {column.flash}, {column.blank_pages}"
            groups.setdefault(best.option, []).append(f"{place} ({best.seconds:.2f} s)")
    for option, places in groups.items():
        yield f"{case.title}, {baud} baud: {code(option)} in {'; '.join(places)}"


def host_time(board: Board) -> None:
    """Print the processor time of the tools, which is in none of the seconds."""
    print("Processor seconds of the tools themselves, in none of the figures above.\n")
    names = [tool.name for tool in TOOLS]
    bests = ([board.best(name, *row) for name in names] for row in rows())
    table(
        ("", "baud", *names),
        (
            (case.title, str(baud), *(shown(best and best.host_cpu) for best in line))
            for (case, baud), line in zip(rows(), bests, strict=True)
        ),
    )


def show(results: Results) -> None:
    """Print all of them."""
    board = Board(results)
    size, deflated = len(image()), len(zlib.compress(image(), 9))
    full = cases()[1].image
    used = sum(full[at : at + SECTOR] != b"\xff" * SECTOR for at in range(0, FLASH, SECTOR))
    print(
        f"The image has {size:,} bytes, {deflated:,} deflated; that of 4 MB is the same firmware as a whole"
        f" flash, {used} of its {FLASH // SECTOR:,} sectors not blank. Dirty flash holds random bytes.\n"
    )
    print(constants())
    print(spread(board))
    headline(board)
    for title, theirs, ours in PAIRS:
        every_column(board, title, theirs, ours)
    options(board)
    host_time(board)
