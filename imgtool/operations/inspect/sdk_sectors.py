"""What the SDK's own sectors hold: RF calibration, init data and system parameters, each as a state.

A state is told by structure, never by contents: networks and passwords do not get into it.  Which sectors
those are is the layout's business (layout/regions.py); what real ones look like: docs/formats/flash-dump.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from imgtool.chip import SECTOR
from imgtool.formats import contents, fill
from imgtool.formats.regions import init_data, protected_param, system_param
from imgtool.formats.registry import identify_inside
from imgtool.quantities import times

if TYPE_CHECKING:
    from imgtool.formats.reading import Checksum
    from imgtool.formats.regions.init_data import Deviation
    from imgtool.formats.regions.protected_param import Protection
    from imgtool.formats.regions.system_param import Station

__all__ = [
    "InitDataState",
    "RfCalState",
    "StoredNetwork",
    "SystemParamState",
    "init_data_state",
    "live_checksum",
    "rf_cal_state",
    "stored_networks",
    "system_param_state",
]

_CALIBRATION: Final = bytes.fromhex("0000ff00")  # how each of the real ones begins
_CALIBRATION_END: Final = 0x400  # they have some 528 bytes; SDK 3.0.5 reads 628
_FLAGS: Final = 2  # the third sector
_COPIES: Final = 2
_NAMES: Final = protected_param.COPY_NAMES
_NEVER_THE_SDKS: Final = frozenset(
    {contents.HintKind.CODE, contents.HintKind.GZIP, contents.HintKind.MAGIC, contents.HintKind.TEXT}
)


@dataclass(frozen=True, slots=True)
class RfCalState:
    """What stands where the SDK keeps its RF calibration.

    Attributes:
        state: ``blank``, ``zeros``, ``plausible`` (structured as in real dumps), ``unfamiliar`` (as
            small, but structured otherwise), ``foreign`` (something else), ``cut`` (behind the end of
            the file) or ``none`` (this SDK has no such sector).
        offset: Where the sector begins; None where there is none.
        used: Bytes in it that are not erased.
        words: What it is, for people.
        foreign: What stands there instead, such as ``text``, ``code``, ``init data`` or ``spiffs``.
    """

    state: Literal["blank", "zeros", "plausible", "unfamiliar", "foreign", "cut", "none"]
    offset: int | None
    used: int
    words: str
    foreign: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InitDataState:
    """What stands where the SDK looks for its init data.

    Attributes:
        state: ``present``, ``damaged`` (the SDK would halt on it), ``blank``, ``zeros``, ``foreign`` or
            ``cut``.
        offset: Where it begins.
        set: The published set that it equals, None for none.
        nearest: The published set that is most alike; None where there is no init data.
        deviations: The fields that differ from that set.
        words: What it is, for people.
    """

    state: Literal["present", "damaged", "blank", "zeros", "foreign", "cut"]
    offset: int
    set: str | None = None
    nearest: str | None = None
    deviations: tuple[Deviation, ...] = ()
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemParamState:
    """What stands where the SDK keeps its parameters: two copies and the flags.

    Attributes:
        state: ``blank``, ``present``, ``corrupt`` (no copy in force), ``foreign`` (something else) or
            ``cut``.
        offset: Where the three sectors begin.
        copies: What each copy is: ``blank``, ``zeros``, ``parameters``, ``unfamiliar`` (as small, but not
            begun as in other dumps), ``foreign`` or ``cut``.
        mirrored: Whether both copies are the same; None where not both are there.
        live: Which copy is in force, 0 or 1; None where the flags do not say.
        writes: How often they were saved; None where the flags do not say.
        checksums: Of each copy whether its checksum is right; None where it has none, or is not there.
        network_stored: Whether a network for the station is stored; None where that cannot be seen.
        words: What it is, for people.
    """

    state: Literal["blank", "present", "corrupt", "foreign", "cut"]
    offset: int
    copies: tuple[str, ...]
    mirrored: bool | None = None
    live: int | None = None
    writes: int | None = None
    checksums: tuple[bool | None, ...] = (None, None)
    network_stored: bool | None = None
    words: str


@dataclass(frozen=True, slots=True)
class StoredNetwork:
    """A network that the station of a device connects to; it holds a password.

    Attributes:
        offset: Where the copy of the parameters begins that holds it.
        ssid: Its name.
        password: Its password, empty where none is stored.  Its place is inferred.
    """

    offset: int
    ssid: str
    password: str


def rf_cal_state(data: bytes, start: int, stop: int) -> RfCalState:
    """What the sector from ``start`` to ``stop`` is, as RF calibration.

    Args:
        data: The whole flash.
        start: Where the sector begins.
        stop: Where it ends; the file may end before.
    """
    stop = min(stop, len(data))
    if start >= stop:
        return RfCalState("cut", start, 0, "behind the end of the file")
    used = stop - start - data.count(fill.ERASED, start, stop)
    if not used:
        return RfCalState("blank", start, 0, "blank")
    if fill.is_fill(data, start, stop, 0):
        return RfCalState("zeros", start, used, "filled with 0x00")
    short = fill.is_fill(data, min(start + _CALIBRATION_END, stop), stop)
    if short and data.startswith(_CALIBRATION, start):
        return RfCalState("plausible", start, used, f"plausible, {used:,} bytes used")
    foreign = _foreign(data, start, stop, short=short)
    if foreign is None:
        return RfCalState("unfamiliar", start, used, f"{used:,} bytes used, not begun as in other dumps")
    words = f"{foreign} in the place of RF calibration, not shown"
    return RfCalState("foreign", start, used, words, foreign)


def _foreign(data: bytes, start: int, stop: int, *, short: bool) -> str | None:
    """What a sector holds that is nothing of the SDK's; None where it may be."""
    if stop - start >= init_data.SIZE and init_data.is_init_data(data, start):
        return "init data"
    found = identify_inside(data, start, stop)
    if found is not None:
        return f"{found.kind}"
    hint = contents.hint_of(data, start, stop)
    if hint.kind is contents.HintKind.TEXT:
        return hint.kind
    return None if short and hint.kind not in _NEVER_THE_SDKS else hint.words


def init_data_state(data: bytes, start: int, stop: int) -> InitDataState:
    """What the sector from ``start`` to ``stop`` is, as init data.

    Args:
        data: The whole flash.
        start: Where the sector begins.
        stop: Where it ends; the file may end before.
    """
    stop = min(stop, len(data))
    if start >= stop:
        return InitDataState(state="cut", offset=start, words="behind the end of the file")
    if stop - start < init_data.SIZE or not init_data.is_init_data(data, start):
        if fill.is_fill(data, start, stop):
            return InitDataState(state="blank", offset=start, words="blank")
        if fill.is_fill(data, start, stop, 0):
            return InitDataState(state="zeros", offset=start, words="filled with 0x00")
        hint = contents.hint_of(data, start, stop)
        return InitDataState(state="foreign", offset=start, words=f"something else: {hint.words}")
    block = data[start : start + init_data.SIZE]
    near = init_data.nearest_set(block)
    changed = init_data.deviations(block, near)
    name = near if not changed else None
    more = f"{len(changed)} field{'' if len(changed) == 1 else 's'}"
    words = f"set {near}" if not changed else f"looks like set {near}, but for {more}"
    damaged = block[0] != init_data.SETS[near][0]
    return InitDataState(
        state="damaged" if damaged else "present",
        offset=start,
        set=name,
        nearest=near,
        deviations=changed,
        words=words,
    )


def system_param_state(data: bytes, start: int, stop: int) -> SystemParamState:
    """What the three sectors from ``start`` to ``stop`` are, as system parameters.

    Args:
        data: The whole flash.
        start: Where the first copy begins.
        stop: Where the flags end; the file may end before.
    """
    copies, flags = _sectors(data, start, stop)
    kinds = tuple(_copy_kind(data, start + number * SECTOR, copy) for number, copy in enumerate(copies))
    if kinds[0] == "cut" or not any(copies):
        return SystemParamState(state="cut", offset=start, copies=kinds, words="behind the end of the file")
    if set(kinds) <= {"blank", "zeros", "cut"} and fill.is_fill(flags, 0, len(flags)):
        words = "blank" if "zeros" not in kinds else "blank, or filled with 0x00"
        return SystemParamState(state="blank", offset=start, copies=kinds, network_stored=False, words=words)
    protection = protected_param.Protection.parse(flags)
    live = _live_copy(protection, kinds, flags)
    mirrored = copies[0] == copies[1] if kinds.count("cut") == 0 and kinds != ("blank", "blank") else None
    usable = [kind in ("parameters", "unfamiliar") for kind in kinds]
    stored = None if not any(usable) else _network(copies, live) is not None
    checks = _checksums(data, start, protection)
    found = SystemParamState(
        state="present",
        offset=start,
        copies=kinds,
        mirrored=mirrored,
        live=live,
        writes=None if protection is None else protection.writes,
        checksums=tuple(None if check is None else check.ok for check in checks),
        network_stored=stored,
        words="",
    )
    problem = _problem(kinds, usable, flags, live, mirrored=mirrored)
    if problem is not None:
        foreign = not any(usable) and "foreign" in kinds
        return replace(found, state="foreign" if foreign else "corrupt", words=problem)
    cut = ", cut by the end of the file" if kinds[-1] == "cut" or not flags else ""
    network = "network stored" if stored else "no network stored"
    words = f"{_present_words(kinds, live, mirrored=mirrored)}{_saved_words(found)}{cut}, {network}"
    return replace(found, words=words)


def live_checksum(data: bytes, start: int, stop: int) -> Checksum | None:
    """The check of the copy in force; None where there is none, or the sectors are not all there."""
    _, flags = _sectors(data, start, stop)
    protection = protected_param.Protection.parse(flags)
    return None if protection is None else protection.checksum(data, start, protection.live)


def _live_copy(protection: Protection | None, kinds: tuple[str, ...], flags: bytes) -> int | None:
    if protection is not None:
        return protection.live
    # An erased flag means the second copy, as any does but 0; where that is erased as well, nothing counts.
    erased = len(flags) == SECTOR and fill.is_fill(flags, 0, SECTOR)
    return 1 if erased and kinds[1] not in ("blank", "zeros", "cut") else None


def _checksums(data: bytes, start: int, protection: Protection | None) -> tuple[Checksum | None, ...]:
    if protection is None:
        return (None,) * _COPIES
    return tuple(protection.checksum(data, start, number) for number in range(_COPIES))


def _saved_words(state: SystemParamState) -> str:
    """Checksums and the count of writes, where the flags have them."""
    wrong = [name for name, right in zip(_NAMES, state.checksums, strict=True) if right is False]
    words = ""
    if wrong:
        words = f", checksum of the {' and the '.join(wrong)} copy wrong"
    elif True in state.checksums:
        words = ", checksums right" if all(state.checksums) else ", checksum right"
    # Without a checksum the count is not to be trusted either.
    return words if state.writes is None or not words else f"{words}, saved {times(state.writes)}"


def _sectors(data: bytes, start: int, stop: int) -> tuple[tuple[bytes, ...], bytes]:
    blocks = [data[at : min(at + SECTOR, stop)] for at in range(start, start + 3 * SECTOR, SECTOR)]
    return tuple(blocks[:_COPIES]), blocks[_FLAGS]


def _copy_kind(data: bytes, start: int, copy: bytes) -> str:
    if len(copy) < SECTOR:
        return "cut"
    if fill.is_fill(copy, 0, len(copy)):
        return "blank"
    if fill.is_fill(copy, 0, len(copy), 0):
        return "zeros"
    structured = system_param.is_structured(copy)
    if _foreign(data, start, start + SECTOR, short=structured) is not None:
        return "foreign"
    return "parameters" if system_param.is_loaders(copy) else "unfamiliar"


def _problem(
    kinds: tuple[str, ...], usable: list[bool], flags: bytes, live: int | None, *, mirrored: bool | None
) -> str | None:
    """Why no copy can be in force, None where one can."""
    if live is not None and not usable[live]:
        return f"the flags name the {_NAMES[live]} copy, which is {_as(kinds[live])}"
    if not any(usable):
        contents = " and ".join(dict.fromkeys(_as(kind) for kind in kinds))
        return f"no copy of the parameters: {contents}"
    if live is None and all(usable) and not mirrored:
        state = "blank" if fill.is_fill(flags, 0, len(flags)) else "not as in other dumps"
        return f"the copies differ, and the flags, which say which one counts, are {state}"
    return None


def _as(kind: str) -> str:
    return {"foreign": "something else", "zeros": "filled with 0x00"}.get(kind, kind)


def _present_words(kinds: tuple[str, ...], live: int | None, *, mirrored: bool | None) -> str:
    if mirrored:
        words = "two equal copies"
    elif live is not None:
        words = f"{_NAMES[live]} copy in force, the other is " + (
            "older" if kinds[1 - live] in ("parameters", "unfamiliar") else _as(kinds[1 - live])
        )
    else:
        words = "one copy"
    return words if "parameters" in kinds else f"{words}, not begun as in other dumps"


def _network(copies: tuple[bytes, ...], live: int | None) -> Station | None:
    chosen = copies if live is None else copies[live : live + 1]
    return next((found for found in map(system_param.station, chosen) if found is not None), None)


def stored_networks(data: bytes, state: SystemParamState) -> tuple[StoredNetwork, ...]:
    """The networks in the parameters, equal ones once: for callers that were asked for passwords by name.

    Args:
        data: The whole flash.
        state: Its system parameters.
    """
    copies, _ = _sectors(data, state.offset, len(data))
    networks: dict[Station, int] = {}
    for number, copy in enumerate(copies):
        found = system_param.station(copy)
        if found is not None:
            networks.setdefault(found, state.offset + number * SECTOR)
    return tuple(StoredNetwork(offset, each.ssid, each.password) for each, offset in networks.items())
