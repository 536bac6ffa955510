"""A stretch of a flash sector by sector: runs of fill, of data, and artefacts that a format knows.

What the survey makes parts of (survey.py).  Not where the stretches are, and no words for people but those of
the formats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.formats import contents, fill, lx106
from imgtool.formats.filesystems import spiffs_plain
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Part, PartKind, Reading
from imgtool.formats.regions import init_data, protected_param
from imgtool.formats.registry import identify_inside
from imgtool.operations.inspect.stored_data import stored_at

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SectorRun", "sector_runs"]

_BLANK_SECTOR: Final = bytes([fill.ERASED]) * SECTOR
_ZERO_SECTOR: Final = bytes(SECTOR)
_INIT_DATA_MARK: Final = 5


@dataclass(frozen=True, slots=True)
class SectorRun:
    """Sectors in a row of one sort; the first and the last may be less than a sector.

    Attributes:
        start: Flash address.
        stop: The address behind it.
        value: The byte that it is filled with; None for data.
        reading: What a format makes of it; None for data that none knows.
    """

    start: int
    stop: int
    value: int | None = None
    reading: Reading | None = None

    @property
    def loose(self) -> bool:
        """Whether it is data that no format knows."""
        return self.value is None and self.reading is None


def sector_runs(data: bytes, start: int, stop: int, *, only_stored: bool) -> list[SectorRun]:
    """What a stretch of a flash holds, in order and without holes.

    Args:
        data: The whole flash.
        start: Where the stretch begins.
        stop: Where it ends.
        only_stored: Whether it is the place of a file system: there only file systems and LFS are known.
    """
    runs = list(_runs(data, start, stop, only_stored=only_stored))
    return _trimmed(data, runs if only_stored else _with_code_joined(data, runs))


def _runs(data: bytes, start: int, stop: int, *, only_stored: bool) -> Iterator[SectorRun]:
    """Consecutive sectors of one sort, joined; the first and the last may be less than a sector.

    Of known artefacts all count, or only those that a place of a file system is for.
    """
    current: SectorRun | None = None
    tried = start  # up to where a SPIFFS without magics was looked for
    # Two copies and a sector of flags: the first copy may be erased, and then it is no fill.
    protected = [] if only_stored else [*protected_param.starts_in(data, start, stop)]
    while start < stop:
        run = _sector(data, start, stop, only_stored=only_stored)
        run = _with_stored(data, run, protected, stop) if not only_stored else run
        if run.loose and start >= tried and start % SECTOR == 0:
            found, tried = spiffs_plain.inside(data, start, stop)
            run = run if found is None else SectorRun(start, found.parts[-1].end, None, found)
        joins = current is not None and not current.reading and not run.reading and run.value == current.value
        if current is not None and joins:
            current = replace(current, stop=run.stop)
        else:
            if current is not None:
                yield current
            current = run
        start = run.stop
    if current is not None:
        yield current


def _with_stored(data: bytes, run: SectorRun, protected: list[int], stop: int) -> SectorRun:
    """A run that is none of a known artefact, as data of a known structure if that begins there."""
    if run.reading is not None:
        return run
    begins = run.start in protected or (run.loose and run.start % SECTOR == 0)
    stored = stored_at(data, run.start, stop) if begins else None
    if stored is not None:
        reading = stored.reading(run.start, stop)
        return SectorRun(run.start, reading.parts[-1].end, None, reading)
    ahead = next((place for place in protected if run.start < place < run.stop), run.stop)
    return replace(run, stop=ahead)


def _sector(data: bytes, start: int, stop: int, *, only_stored: bool) -> SectorRun:
    end = min(stop, (start // SECTOR + 1) * SECTOR)
    block = data[start:end]
    for value, sector in ((fill.ERASED, _BLANK_SECTOR), (0, _ZERO_SECTOR)):
        if block == sector[: len(block)]:
            filled = fill.run_end(data, end, stop, value)
            return SectorRun(start, filled if filled == stop else filled // SECTOR * SECTOR, value)
    if block[0] == _INIT_DATA_MARK and _is_init_data_sector(data, start, end):
        return SectorRun(start, end, None, _old_init_data(data, start))
    found = identify_inside(data, start, stop) if start % SECTOR == 0 else None
    if found is None or (only_stored and not KINDS[found.kind].stored):
        return SectorRun(start, end)
    return SectorRun(start, found.parts[-1].end, None, found)


def _is_init_data_sector(data: bytes, start: int, end: int) -> bool:
    whole = start % SECTOR == 0 and end - start == SECTOR
    return whole and init_data.is_init_data(data, start) and fill.is_fill(data, start + init_data.SIZE, end)


def _old_init_data(data: bytes, start: int) -> Reading:
    """Init data where the firmware looks for none: no part of that kind, as nothing uses it."""
    note = f"init data of an earlier firmware, {init_data.part_at(data, start, SECTOR).note}"
    entropy = contents.hint_of(data, start, start + SECTOR).entropy
    hint = contents.Hint(contents.HintKind.INIT_DATA, "init data", entropy)
    return Reading(FileKind.INIT_DATA, (Part(PartKind.UNKNOWN, start, SECTOR, note=note, value=hint),))


def _with_code_joined(data: bytes, runs: list[SectorRun]) -> list[SectorRun]:
    """Fill between two runs of code belongs to the code: constant tables hold long runs of zeros."""
    joined: list[SectorRun] = []
    for run in runs:
        between = joined[-2:]
        if (
            len(between) == 2  # noqa: PLR2004 - code and the fill behind it
            and run.loose
            and between[0].loose
            and between[1].value is not None
            and all(lx106.looks_like_code(data[r.start : r.stop]) for r in (between[0], run))
        ):
            joined[-2:] = [replace(between[0], stop=run.stop)]
        else:
            joined.append(run)
    return joined


def _trimmed(data: bytes, runs: list[SectorRun]) -> list[SectorRun]:
    """Data ends at its last byte that is not the fill behind it, or erased flash before something known."""
    trimmed: list[SectorRun] = []
    for run, behind in zip_longest(runs, runs[1:]):
        start = trimmed[-1].stop if trimmed else run.start
        if not run.loose or behind is None:
            trimmed.append(replace(run, start=start))
            continue
        value = fill.ERASED if behind.value is None else behind.value
        end = fill.run_start(data, start, run.stop, value)
        trimmed.append(replace(run, start=start, stop=end))
        if end < run.stop and behind.value is None:
            trimmed.append(SectorRun(end, run.stop, value))
    return trimmed
