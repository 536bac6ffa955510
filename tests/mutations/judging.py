"""What is wrong about what imgtool says of a mutant: an exception, or "all checks hold" where one does not.

The oracle for the second are the checks of the file that the mutant was made of: over which bytes each is,
and where its value stands.  Where only such bytes were changed, a check that holds no more has to be noticed.
Not judged is what moves, such as a changed length, which no check covers; and a check that may be missing,
where it is said that it is missing or damaged.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES
from imgtool.engine.descriptions import file_verdict
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.advise import AdviseRequest, advise
from imgtool.engine.jobs.inspect import InspectRequest, InspectResult, inspect
from imgtool.errors import ImgtoolError
from imgtool.formats.checksums import value_of
from imgtool.formats.fill import is_fill
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.flashing.plan import PlanRequest, Target, plan_flash
from imgtool.operations.inspect.describe import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.formats.reading import Checksum, Cover
    from tests.mutations.mutants import Bases, Mutant

__all__ = ["Failure", "Judge"]

_SHOWN: Final = 10  # of so many mutants one is shown, too
_WRITTEN: Final = 50  # and one is merged, planned to be flashed, and advised about
_WORD: Final = 32  # bits; digests have more, and are no numbers
_HIGHEST_FIRST: Final = {"sum32"}
_UNSURE: Final = {"irom-uncovered", "no-crc", "no-md5", "no-sha256"}
_SIZES: Final = tuple(size for size in FLASH_SIZES if size.bytes >= 0x8_0000)


class Failure(NamedTuple):
    """A mutant of which something wrong is said.

    Attributes:
        number: Which one.
        kind: ``exception``, ``hang``, ``died`` (the process) or ``unnoticed``.
        base: Name of the file that it was.
        how: What was changed.
        what: What is wrong, in words; for an exception where it was raised.
    """

    number: int
    kind: str
    base: str
    how: str
    what: str


@dataclass(slots=True)
class Judge:
    """Looks at mutants of some files.

    Attributes:
        bases: The files.
        look: What says what a file is.
    """

    bases: Bases
    look: Callable[[InspectRequest], InspectResult] = inspect
    _checks: dict[str, tuple[Checksum, ...]] = field(default_factory=dict)

    def failure(self, mutant: Mutant) -> Failure | None:
        """What is wrong about what is said of a mutant; None where all is well."""
        try:
            unnoticed = self._look(mutant)
            if mutant.number % _WRITTEN == 0:
                self._write(mutant)
        except (Exception, RecursionError) as error:  # noqa: BLE001 - any is a failure
            frames = traceback.extract_tb(error.__traceback__)
            where = " < ".join(f"{each.filename.split('/')[-1]}:{each.lineno}" for each in frames[:-5:-1])
            return self._failed(mutant, "exception", f"{type(error).__name__}: {error} ({where})")
        return None if unnoticed is None else self._failed(mutant, "unnoticed", unnoticed)

    @staticmethod
    def _failed(mutant: Mutant, kind: str, what: str) -> Failure:
        return Failure(mutant.number, kind, mutant.base, mutant.how, what)

    def _look(self, mutant: Mutant) -> str | None:
        """Inspect it; which check does not hold although all are said to, in words."""
        result = self.look(InspectRequest((InputFile(mutant.base, mutant.data),)))
        if mutant.number % _SHOWN == 0:
            assert result.document
            assert result.words
        verdict = file_verdict(result.descriptions[0])
        if not verdict.good or not verdict.words.startswith("all checks hold") or result.code:
            return None
        if not mutant.damage or _UNSURE & {finding.code for finding in result.descriptions[0].findings}:
            return None
        checks = (check for check in self._checks_of(mutant.base) if not _erased(mutant.data, check))
        broken = [check for check in checks if not _holds(mutant.data, check)]
        if not broken or not _only_under(broken, self.bases.files[mutant.base], mutant.data):
            return None
        names = ", ".join(f"{check.name} over {_cover(check).spans}" for check in broken)
        return f"it is called good, and does not hold: {names}"

    def _checks_of(self, name: str) -> tuple[Checksum, ...]:
        """The checks of a good file of which the cover is known."""
        if name not in self._checks:
            found = describe(self.bases.files[name])
            checks = [check for _, check in found.checksums if check.cover is not None and check.ok]
            self._checks[name] = tuple(checks) if found.ok else ()
        return self._checks[name]

    def _write(self, mutant: Mutant) -> None:
        """Merge it, plan to flash it, and advise about it: as what is new, and as what is old."""
        size = _SIZES[mutant.number // _WRITTEN % len(_SIZES)]
        file = InputFile(mutant.base, mutant.data)
        piece = Piece(0, mutant.data, mutant.base)
        other = self.bases.files[self.bases.mutant(mutant.number + 1).base]
        beside = InputFile("other.bin", other)
        erased = b"\xff" * size.bytes
        held = other[: size.bytes] + erased[len(other) :]
        target = Target("ESP8266EX", False, "5c:cf:7f:00:00:01", b"\xef\x40\x16", size.bytes)

        def plan(force: frozenset[str]) -> object:
            request = PlanRequest((piece,), init_data=InitDataSource(), force=force)
            return plan_flash(request, target, lambda at, length: held[at : at + length])

        tries: tuple[Callable[[], object], ...] = (
            lambda: merge([piece], header=HeaderChange(size=size.name)),
            lambda: plan(frozenset()),
            lambda: plan(frozenset({"damaged", "fit", "place", "size"})),
            lambda: advise(AdviseRequest(files=(file,), old=(beside,), size=size.name)).words,
            lambda: advise(AdviseRequest(files=(beside,), old=(file,), size=size.name)).words,
        )
        for attempt in tries:
            try:
                attempt()
            except ImgtoolError:
                continue


def _cover(check: Checksum) -> Cover:
    assert check.cover is not None
    return check.cover


def _only_under(broken: list[Checksum], before: bytes, after: bytes) -> bool:
    """Whether all bytes that differ are under one of the checks, or are its value."""
    differ = [at for at, (one, two) in enumerate(zip(before, after, strict=True)) if one != two]
    places = [(_cover(check).place, check.bits // 8) for check in broken]
    return all(
        any(_cover(check).touches(at, at + 1) for check in broken)
        or any(place <= at < place + size for place, size in places)
        for at in differ
    )


def _erased(data: bytes, check: Checksum) -> bool:
    """Whether a check and all that it was over are erased now: then nothing is there."""
    cover = _cover(check)
    spans = (*cover.spans, (cover.place, cover.place + check.bits // 8))
    return all(is_fill(data, start, stop) for start, stop in spans)


def _holds(data: bytes, check: Checksum) -> bool:
    """Whether a check, which is where it was, holds over changed bytes."""
    cover = _cover(check)
    stored = data[cover.place : cover.place + check.bits // 8]
    if cover.zeroed is not None:
        start, stop = cover.zeroed
        data = data[:start] + bytes(stop - start) + data[stop:]
    computed = value_of(check.algorithm, [data[start:stop] for start, stop in cover.spans])
    highest_first = check.bits > _WORD or check.algorithm in _HIGHEST_FIRST
    return int.from_bytes(stored, "big" if highest_first else "little") == computed
