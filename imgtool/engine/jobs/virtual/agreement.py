"""The points of an advice held against what the firmware itself did with the same bytes, topic by topic.

No rule on upgrades is here: one side is :mod:`imgtool.operations.advise`'s, the other the virtual board's.
Topics of which a boot shows nothing, such as Lua or modules, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.engine.results import Table, Tone, Toned
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS, TABLE, page_at
from imgtool.operations.explain.values import Verdict
from imgtool.operations.files.reading import read_system
from imgtool.operations.inspect.describe import describe
from imgtool.operations.inspect.device_settings import record_names
from imgtool.operations.upgrade.files import in_use
from imgtool.operations.upgrade.look import side_before
from imgtool.operations.upgrade.values import HARM, AdvicePoint, AdviceVerdict, Topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.engine.jobs.virtual.rehearsal import Rehearsal
    from imgtool.operations.upgrade.side import OldFlash

__all__ = ["HeldPoint", "agreement_fields", "agreement_table", "held_against"]

_START: Final = "start"
_INIT_DATA: Final = 128
_SHOWN: Final = 4


class HeldPoint(NamedTuple):
    """One topic, as the advice has it and as the firmware did it.

    Attributes:
        topic: What it is about.
        advised: What the advice says.
        seen: What the firmware did.
        agrees: Whether both say the same.
    """

    topic: str
    advised: str
    seen: str
    agrees: bool


def held_against(points: Sequence[AdvicePoint], rehearsal: Rehearsal, old: OldFlash) -> tuple[HeldPoint, ...]:
    """Hold an advice against a rehearsal of the same write.

    Args:
        points: Those of the advice.
        rehearsal: What the firmware did.
        old: The flash before.
    """
    start = _start(points, rehearsal)
    if not rehearsal.ok:
        return (start,)
    by_topic = {point.topic: point for point in reversed(points)}
    return (start, *_Held(by_topic, rehearsal, old).points())


def _start(points: Sequence[AdvicePoint], rehearsal: Rehearsal) -> HeldPoint:
    against = [point for point in points if point.verdict in (AdviceVerdict.BOOT_LOOP, AdviceVerdict.REFUSED)]
    unknown = [point for point in points if point.verdict is AdviceVerdict.UNKNOWN and not point.ok]
    starts = not against
    advised = f"does not start: {against[0].topic}" if against else "starts"
    if starts and unknown:
        advised = f"not known: {unknown[0].topic}"
    seen = rehearsal.tried.words.verdict
    agrees = rehearsal.ok == starts or (starts and bool(unknown))
    return HeldPoint(_START, advised, seen, agrees)


class _Held:
    """The topics, one after the other; those are left out of which either side says nothing."""

    def __init__(self, points: dict[Topic, AdvicePoint], rehearsal: Rehearsal, old: OldFlash) -> None:
        self._points = points
        self._rehearsal = rehearsal
        self._old = old
        self._was = old.read(0, old.size)
        self._before = describe(self._was)

    def points(self) -> Iterator[HeldPoint]:
        for topic, seen in (
            (Topic.FILES, self._files),
            (Topic.SETTINGS, self._settings),
            (Topic.WIFI, self._network),
            (Topic.INIT_DATA, self._init_data),
            (Topic.LFS, self._lfs),
        ):
            point = self._points.get(topic)
            if point is None or point.verdict is AdviceVerdict.UNKNOWN:
                continue
            found = seen(point.verdict)
            if found is not None:
                words, agrees = found
                yield HeldPoint(str(topic), str(point.verdict), words, agrees)

    def _files(self, verdict: AdviceVerdict) -> tuple[str, bool] | None:
        """Whether the files that were there are those that the firmware has."""
        used = in_use(side_before(self._old))
        files = () if used is None else read_system(used, self._old.read).system.files
        whole = {file.path: file.size for file in files if file.whole}
        if not whole:
            return None
        there = {file.path: file.size for file in self._rehearsal.files}
        gone = [path for path, size in whole.items() if there.get(path) != size]
        lost = verdict in HARM
        if not gone:
            return f"all {len(whole)} files are there", not lost
        names = ", ".join(gone[:_SHOWN])
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        how = "formatted: " if self._rehearsal.formatted else ""
        return f"{how}{len(gone)} of {len(whole)} files are gone: {names}{more}", lost

    def _settings(self, verdict: AdviceVerdict) -> tuple[str, bool] | None:
        """NodeMCU's record page: whether all that a user would miss is still there."""
        old = page_at(self._was, PAGE_ADDRESS) if len(self._was) >= PAGE_ADDRESS + SECTOR else None
        if old is None:
            return None
        new = page_at(self._rehearsal.tried.flash, PAGE_ADDRESS)
        names = {kind: name for kind, name in record_names(old).items() if kind != TABLE}
        left = {} if new is None else record_names(new)
        gone = [name for kind, name in names.items() if kind not in left]
        if new is None or gone:
            return f"gone: {', '.join(gone) or 'the record page'}", verdict in HARM
        return "all records are there", verdict not in HARM

    def _network(self, verdict: AdviceVerdict) -> tuple[str, bool] | None:
        """Whether a network that was stored is found again."""
        before, after = self._before.state, self._rehearsal.state
        was = None if before is None or before.system_param is None else before.system_param.network_stored
        now = None if after is None or after.system_param is None else after.system_param.network_stored
        if not was or now is None:
            return None
        return "the network is stored" if now else "the network is gone", now == (verdict not in HARM)

    def _init_data(self, verdict: AdviceVerdict) -> tuple[str, bool] | None:
        """Whether init data stays, or is another, where the firmware looks for it."""
        state = None if self._rehearsal.state is None else self._rehearsal.state.init_data
        if state is None:
            return None
        if self._rehearsal.tried.explanation.verdict is Verdict.INIT_DATA:
            return "the SDK stops for want of it", verdict is AdviceVerdict.BOOT_LOOP
        place = slice(state.offset, state.offset + _INIT_DATA)
        same = self._was[place] == self._rehearsal.tried.flash[place]
        if verdict is AdviceVerdict.KEPT:
            return f"{state.words}, {'as before' if same else 'not that of before'}", same
        return f"{state.words}, and the SDK starts", verdict is not AdviceVerdict.BOOT_LOOP

    def _lfs(self, verdict: AdviceVerdict) -> tuple[str, bool] | None:
        """Whether an image that was loaded is there, at the same place."""
        before, after = self._before.state, self._rehearsal.state
        was = None if before is None else before.lfs
        now = None if after is None else after.lfs
        if was is None or was.state != "present":
            return None
        fits = now is not None and now.fits_place is not False and now.fits_firmware is not False
        kept = now is not None and now.state == "present" and now.offset == was.offset and fits
        return "none is seen" if now is None else now.words, kept == (verdict not in HARM)


def agreement_table(points: Sequence[HeldPoint]) -> Table:
    """For people: a row for each topic."""
    rows = tuple(
        (
            point.topic,
            point.advised,
            Toned("yes", Tone.GOOD) if point.agrees else Toned("NO", Tone.WRONG),
            point.seen,
        )
        for point in points
    )
    return Table(rows=rows, head=("what", "advised", "agrees", "the firmware"))


def agreement_fields(points: Sequence[HeldPoint]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [point._asdict() for point in points]
