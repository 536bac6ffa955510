"""Data that firmware keeps in sectors of its own, told by its structure: settings, keys, certificates.

One row a structure.  Each is a part of kind ``user-data`` with a sentence on what it is; names of fields at
the most, never what they hold.  Where a maker keeps such things without a structure: layout/stock.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import FLASH_SIZES, SECTOR
from imgtool.errors import FormatError
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.formats.regions import init_data, protected_param, system_param
from imgtool.formats.regions.json_record import JsonRecord
from imgtool.formats.regions.nvs import NvsPages
from imgtool.formats.regions.sysparam import MAGIC, SysparamRegion
from imgtool.quantities import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imgtool.formats.regions.protected_param import ProtectedParams

__all__ = ["StoredData", "stored_at"]

_PHY_MARK: Final = b"PHYINIT\0"
_MOST_NAMES: Final = 6  # that are named in a note
_ENDS: Final = {size.bytes: size.name for size in FLASH_SIZES if not size.name.endswith("-c1")}


class StoredData(NamedTuple):
    """Data of a structure that is known: what it is for people, its bytes, its value, and what to say of it.

    Attributes:
        words: What it is.
        size: Its bytes, whole sectors.
        value: What its format reads of it.
        findings: What is to be said.
        kind: ``user-data``, or ``system-param`` for the SDK's own.
        hidden: Whether it holds more than the words say, which is not shown.
    """

    words: str
    size: int
    value: object
    findings: tuple[Finding, ...] = ()
    kind: PartKind = PartKind.USER_DATA
    hidden: bool = True

    @property
    def note(self) -> str:
        """The words for its part."""
        return f"{self.words}, not shown" if self.hidden else self.words

    def reading(self, start: int, stop: int) -> Reading:
        """The same as a reading of what begins at an address, up to a stop at the most."""
        size = min(self.size, stop - start)
        part = Part(self.kind, start, size, note=self.note, value=self.value)
        return Reading(FileKind.UNKNOWN, (part,), findings=self.findings)


def stored_at(data: bytes, start: int, stop: int) -> StoredData | None:
    """The data of a known structure that begins at a sector; None where there is none.

    Args:
        data: The whole flash.
        start: Where it would begin.
        stop: Where it ends at the latest.
    """
    found = (row(data, start, stop) for row in _ROWS)
    return next((each for each in found if each is not None), None)


def _protected(data: bytes, start: int, stop: int) -> StoredData | None:
    if start + protected_param.SIZE > stop:
        return None
    found = protected_param.params_at(data, start)
    if found is None:
        return None
    words = _saved_words(found)
    size = protected_param.SIZE
    copies = (data[start + number * SECTOR :][:SECTOR] for number in range(2))
    flash = _ENDS.get(start + size)
    if flash is not None and any(map(system_param.is_loaders, copies)):
        sdks = f"parameters of the SDK for a flash of {flash}, which the header does not state, {words}"
        return StoredData(sdks, size, found, kind=PartKind.SYSTEM_PARAM)
    what = f"protected parameters of the application, {words}"
    return StoredData(what, size, found, _checksum_findings(found, start))


def _saved_words(found: ProtectedParams) -> str:
    live = found.protection.live
    words = f"{protected_param.COPY_NAMES[live]} copy in force, {found.used[live]:,} bytes used"
    right = found.right[live]
    if right is not None:
        words += f", checksum {'right' if right else 'wrong'}"
    writes = found.protection.writes
    return words if writes is None else f"{words}, saved {times(writes)}"


def _checksum_findings(found: ProtectedParams, start: int) -> tuple[Finding, ...]:
    live = found.protection.live
    if found.right[live] is not False:
        return ()
    message = (
        f"the checksum of the {protected_param.COPY_NAMES[live]} copy of an application's parameters is "
        "wrong: the SDK takes those that were saved before"
    )
    return (Finding(Severity.WARNING, "parameters-checksum", message, start + live * SECTOR),)


def _sysparam(data: bytes, start: int, stop: int) -> StoredData | None:
    if not data.startswith(MAGIC, start):
        return None
    try:
        region = SysparamRegion.parse(data[start:stop])
    except FormatError:
        return None
    which = f"{'second' if region.second else 'first'} region"
    state = "in force" if region.active else "not in force"
    names = _listed([value.name for value in region.values])
    words = f"settings of esp-open-rtos (sysparam), {which}, {state}: {names}"
    if not region.damaged:
        return StoredData(words, region.size, region)
    message = "the entries of this sysparam region end in something that is none: it is damaged"
    finding = Finding(Severity.WARNING, "sysparam", message, start)
    return StoredData(words, region.size, region, (finding,))


def _json_record(data: bytes, start: int, stop: int) -> StoredData | None:
    record = JsonRecord.parse(data[start : min(start + SECTOR, stop)])
    if record is None:
        return None
    words = f"record of {record.length:,} bytes of JSON, CRC right: {_listed(record.fields)}"
    return StoredData(words, SECTOR, record)


def _phy_init(data: bytes, start: int, stop: int) -> StoredData | None:
    """The partition ``phy_init``: init data between two marks (``phy_init.c`` of the RTOS SDK 3)."""
    begin = start + len(_PHY_MARK)
    end = begin + init_data.SIZE
    marked = data.startswith(_PHY_MARK, start) and data.startswith(_PHY_MARK, end)
    if not marked or end >= stop or not init_data.is_init_data(data, begin):
        return None
    note = init_data.part_at(data, begin, init_data.SIZE).note
    return StoredData(f"init data of the RTOS SDK, {note}", SECTOR, None, hidden=False)


def _nvs(data: bytes, start: int, stop: int) -> StoredData | None:
    found = NvsPages.parse(data, start, stop)
    if found is None:
        return None
    pages = f"{found.pages} page{'' if found.pages == 1 else 's'}"
    values = f"{found.values} value{'' if found.values == 1 else 's'}"
    words = f"NVS of the RTOS SDK, {pages}, {values}: {_listed(found.namespaces)}"
    return StoredData(words, found.size, found)


_ROWS: Final[tuple[Callable[[bytes, int, int], StoredData | None], ...]] = (
    _sysparam,
    _json_record,
    _nvs,
    _phy_init,
    _protected,
)


def _listed(names: Iterable[str]) -> str:
    """The names of some fields, the first of many."""
    unique = [*dict.fromkeys(names)]
    if not unique:
        return "nothing is set"
    more = len(unique) - _MOST_NAMES
    return ", ".join(unique[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
