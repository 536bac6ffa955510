"""Which user image Espressif's boot loader starts in the end, 1.1 to 1.7: flags, checks, second tries.

Not its text, and no writes: imgtool/virtual/chip/boot_loader.py models those, and tells the rule a second
time on purpose.  The tests hold both to what real loaders were seen to do; see docs/formats/flash-dump.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from imgtool.chip import SECTOR, flash_size_of_code
from imgtool.formats.regions.system_param import LoaderFlags
from imgtool.operations.inspect.loader_checks import Refusal, refusal_of

__all__ = ["LoaderChoice", "UserSlot", "loader_choice"]

Certainty = Literal["known", "likely", "not known"]

_RUN: Final = frozenset((1, 2, 4, 5, 6, 7))
"""Minor versions that were run.  What is said of those between is inferred."""

_READABLE: Final = 0x40_0000  # the loader reads with the boot ROM, which knows 4 MB
_SMALLEST: Final = 0x8_0000  # what a size code without a meaning is taken for
_QUARTER_MB: Final = 0x4_0000
_NO_MAP: Final = 7  # the only size code that 1.7 refuses

# The first minor version that does so.
_VERSION_2: Final = 2
_RETRY: Final = 3
_MAPS: Final = 4
_BACKUP: Final = 5
_PIN: Final = 6
_ROUNDS: Final = 7

_SLOTS: Final = 2
_OLD_SLOT_BITS: Final = 0x0F
_ERASED: Final = 0xFF

# Byte 119 of the init data: a pin, if its upper half is this.
_PIN_BYTE, _IS_PIN = 119, 0xA


@dataclass(frozen=True, slots=True)
class UserSlot:
    """A place that the loader may start from: ``user1``, ``user2`` or ``image``, and its flash address."""

    name: str
    offset: int


Tried = tuple[tuple[UserSlot, Refusal], ...]


@dataclass(frozen=True, slots=True)
class LoaderChoice:
    """What the loader comes to.

    Attributes:
        places: The slots that it knows.
        starts: The one that runs in the end; None where nothing does, or that is not known.
        certainty: How sure that is.
        reason: Why, for people.
    """

    places: tuple[UserSlot, ...]
    starts: UserSlot | None
    certainty: Certainty
    reason: str


def loader_choice(data: bytes, version: str) -> LoaderChoice:
    """What the loader at the start of a flash starts.

    Args:
        data: The whole flash, or the part of it that was read.
        version: What the loader calls itself.
    """
    return _Loader(data, version).choice()


class _Loader:
    """The loader, with what it goes by."""

    def __init__(self, data: bytes, version: str) -> None:
        self._data = data
        self._name = f"boot loader {version.split('(', maxsplit=1)[0]}"
        stated = re.match(r"1\.(\d+)", version)
        # One that nobody has seen is taken for the last.
        self._minor = int(stated[1]) if stated is not None else _ROUNDS
        self._certainty: Certainty = "known" if stated is not None and self._minor in _RUN else "likely"
        self._code = data[3] >> 4
        size = flash_size_of_code(self._code) if self._knows_size() else None
        self._end = _SMALLEST if size is None else size.bytes
        half = _QUARTER_MB if size is None else size.ota_slot
        if size is not None and not half:  # 256 KB
            half = size.bytes // 2 if self._minor < _ROUNDS else _QUARTER_MB
        self._users = (UserSlot("user1", SECTOR), UserSlot("user2", half + SECTOR))

    def _knows_size(self) -> bool:
        last = 4 if self._minor < _MAPS else 6 if self._minor < _ROUNDS else 9
        return self._code <= last

    def choice(self) -> LoaderChoice:
        if self._minor >= _ROUNDS and self._code == _NO_MAP:
            return self._nothing(f"{self._name} refuses the flash size in the header")
        if len(self._data) < self._end <= _READABLE:
            return self._without_flags()
        flags = self._flags()
        return self._old(flags) if self._minor < _RETRY else self._new(flags)

    def _flags(self) -> LoaderFlags:
        """The flags in force; fresh ones where the loader cannot read them."""
        if self._end > _READABLE:
            return LoaderFlags.parse(b"")
        copy = 3 if self._data[self._end - SECTOR] == 0 else 2
        return LoaderFlags.parse(self._data[self._end - copy * SECTOR :][:SECTOR])

    def _without_flags(self) -> LoaderChoice:
        """The flags are behind the end of the file: only one image, if it is whole, needs none."""
        usable = [user for user in self._users if self._refusal(user) is None]
        inside = self._users[1].offset < len(self._data)
        if len(usable) == 1 and inside and (usable[0].name == "user1" or self._minor >= _BACKUP):
            return LoaderChoice(self._users, usable[0], "likely", "the only image that the loader accepts")
        if inside and not usable:
            refused = ((user, self._refusal(user)) for user in self._users)
            found = tuple((user, why) for user, why in refused if why is not None)
            return self._refused(found, "there is no other", "likely")
        reason = "the flags, which choose, lie behind the end of the file"
        return LoaderChoice(self._users, None, "not known", reason)

    def _old(self, flags: LoaderFlags) -> LoaderChoice:
        """1.1 and 1.2: one try."""
        fresh = flags.first == _ERASED
        number = 0 if fresh else flags.first & _OLD_SLOT_BITS
        if number >= _SLOTS:
            return self._no_slot(number)
        why = "its flags are fresh, which means" if fresh else "the flags name"
        user = self._users[number]
        refusal = self._refusal(user)
        if refusal is None:
            return self._started(user, f"{why} {user.name}")
        return self._refused(((user, refusal),), f"{self._name} tries no other")

    def _new(self, flags: LoaderFlags) -> LoaderChoice:
        """1.3 and later: up to two tries, with a reset by the watchdog between them."""
        why = "the flags name"
        if flags.version != self._minor or flags.fresh:
            flags, why = LoaderFlags.fresh_of(self._minor), "its flags are fresh, which means"
        if flags.slot >= _SLOTS:
            return self._no_slot(flags.slot)
        tried: Tried = ()
        for good in (True, False) if flags.good else (False,):
            user = self._chosen(flags, good=good)
            refusal = self._refusal(user)
            if refusal is None:
                return self._started(user, f"{why} {user.name}" if not tried else self._before(tried))
            tried = (*tried, (user, refusal))
            last = self._last_try(flags, refusal)
            if last is not None:
                return self._refused(tried, last)
        if len(tried) == 1:
            return self._refused(tried, "the flags say that the other one failed before")
        if tried[0][0] == tried[1][0]:
            return self._refused(tried[:1], f"{self._name} tries it again, and no other")
        return self._refused(tried, "there is no other")

    def _last_try(self, flags: LoaderFlags, refusal: Refusal) -> str | None:
        """Why there is no second try after this one; None if there is."""
        if refusal is Refusal.BROKEN or (refusal is Refusal.BAD_SUM and self._minor == _MAPS):
            return f"{self._name} hangs on that"
        if flags.in_test:
            return "in test mode there is no other"
        if self._end > _READABLE:  # where it cannot write down that one has failed
            return f"{self._name} tries it for ever in a flash of more than 4 MB"
        return None

    def _chosen(self, flags: LoaderFlags, *, good: bool) -> UserSlot:
        if flags.in_test or flags.enhanced:
            address = flags.first_image if good and not flags.in_test else flags.test_image
            named = next((user for user in self._users if user.offset == address), None)
            return named or UserSlot("image", address)
        second = flags.slot == 1
        second = second and good if self._minor < _BACKUP else second is good
        return self._users[int(second)]

    def _before(self, tried: Tried) -> str:
        times = "four times " if self._minor >= _ROUNDS else ""
        return f"{_words(tried)}; {self._name} tries it {times}first"

    def _refusal(self, user: UserSlot) -> Refusal | None:
        return refusal_of(self._data, user.offset, version_2=self._minor >= _VERSION_2)

    def _started(self, user: UserSlot, why: str) -> LoaderChoice:
        pin = self._pin()
        if pin is None:
            return LoaderChoice(self._places(user), user, self._certainty, why)
        return LoaderChoice(self._places(user), user, "likely", f"{why}, unless GPIO{pin} chooses")

    def _pin(self) -> int | None:
        """The pin by which the init data lets somebody choose; 1.6 and 1.7 ask it."""
        at = self._end - 4 * SECTOR + _PIN_BYTE
        if self._minor < _PIN or at >= len(self._data) or self._data[at] >> 4 != _IS_PIN:
            return None
        return self._data[at] & 0xF

    def _refused(self, tried: Tried, then: str, certainty: Certainty | None = None) -> LoaderChoice:
        cut = any(user.offset >= len(self._data) or refusal is Refusal.BROKEN for user, refusal in tried)
        if cut and len(self._data) < self._end:
            reason = "an image lies behind the end of the file"
            return LoaderChoice(self._places(*(user for user, _ in tried)), None, "not known", reason)
        sure = certainty or ("likely" if cut else self._certainty)
        places = self._places(*(user for user, _ in tried))
        return LoaderChoice(places, None, sure, f"{_words(tried)}, and {then}")

    def _no_slot(self, number: int) -> LoaderChoice:
        return self._nothing(f"the flags name slot {number}, which {self._name} does not have")

    def _nothing(self, reason: str) -> LoaderChoice:
        return LoaderChoice(self._users, None, self._certainty, reason)

    def _places(self, *others: UserSlot) -> tuple[UserSlot, ...]:
        return tuple(dict.fromkeys((*self._users, *others)))


def _words(tried: Tried) -> str:
    return ", ".join(f"{user.name} {refusal}" for user, refusal in tried)
