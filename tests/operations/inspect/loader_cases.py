"""Flashes for boot loaders, and which of their images ran in the end: seen on real loaders, on the board.

Espressif's loaders in six versions, rBoot in three builds, the RTOS SDK's; slots, sorts of damage, flags and
sizes.  No loader is in here: usual tests have one that is nothing but its name; the real ones are taken by
tests/oracle/test_loader_cases.py, which sees all of it again.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fixtures import firmwares
from imgtool.formats.images.version1 import BootImage, Segment, patch_header
from tests.oracle.slot_runs import flash_of, user_image, wrong_sum
from tests.stored import mongoose_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "BIG_FLASH",
    "MONGOOSE",
    "PLACES",
    "RBOOT",
    "RTOS",
    "VERSIONS",
    "Case",
    "made_up_loader",
    "sdk_cases",
]

VERSIONS: Final = ("1.1", "1.2", "1.4(b1)", "1.5", "1.6", "1.7(5d6f877)")
"""The loaders that were run, as they call themselves."""

KB: Final = 1 << 10
MB: Final = 1 << 20
_IRAM: Final = 0x4010_0000
_SIZE_AND_FREQ: Final = 0x40


class Case(NamedTuple):
    """A flash, and what was seen of it.

    Attributes:
        name: What it is about.
        size: Of the flash.
        code: Size code in the loader's header.
        contents: What it holds beside the loader.
        seen: Number of the image that ran in the end; None for none.
    """

    name: str
    size: int
    code: int
    contents: Mapping[int, bytes]
    seen: int | None

    def flash(self, loader: bytes) -> bytes:
        """All of it, with a loader at its start."""
        return flash_of(self.size, {0: patch_header(loader, size=self.code), **self.contents})


def made_up_loader(text: str) -> bytes:
    """A boot image that is nothing but a text."""
    segments = (Segment(_IRAM, bytes(64)), Segment(0x3FFE_8000, text.encode().ljust(64, b"\0")))
    return BootImage(2, _SIZE_AND_FREQ, _IRAM, segments).build()


def image(number: int, kind: str) -> bytes:
    """An image that says its number once it runs.

    Args:
        number: Which one.
        kind: ``new`` (version 2), ``old`` (version 1), one with damage, or ``-`` for none.
    """
    old, new = (user_image(number, new=new) for new in (False, True))
    return {
        "-": b"",
        "old": old,
        "new": new,
        "old-sum": wrong_sum(old),
        "new-sum": wrong_sum(new),
        "irom": _changed(new, 20, 0x5A),
        "marker": _changed(new, 1, 1),
        "long": old[:12] + (0x7FFF_0000).to_bytes(4, "little") + old[16:],
        "empty": bytes((0xE9, 0)) + old[2:8],
    }[kind]


def _changed(data: bytes, at: int, bits: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= bits
    return bytes(changed)


# --- Espressif's boot loader -----------------------------------------------------------------------

# What of 1.1, 1.2, 1.4, 1.5, 1.6 and 1.7 was seen, by the images there: the number that ran, or none.
_IMAGES: Final = """
new     new      - 1 1 1 1 1
old     old      1 1 1 1 1 1
new     -        - 1 1 1 1 1
old     -        1 1 1 1 1 1
-       old      - - - 2 2 2
-       new      - - - 2 2 2
-       -        - - - - - -
new-sum new      - - - 2 2 2
old-sum old      - - - 2 2 2
new-sum new-sum  - - - - - -
-       new-sum  - - - - - -
irom    new      - 1 1 1 1 1
marker  new      - - - 2 2 2
long    old      - - - - - -
empty   old      - - - - - -
"""

# By the images and the first bytes of the flags that count; V is the loader's own version.
_FLAGS: Final = """
old old 00eV  1 1 1 2 2 2
old old 01eV  2 2 1 1 1 1
old old 02eV  - - - - - -
old old 03eV  - - 1 1 1 1
old old 04eV  - - 1 1 1 1
old old 05eV  - - 2 2 2 2
old old 08eV  - - 1 2 2 2
old old 10eV  1 1 1 2 2 2
old old 11eV  2 2 1 1 1 1
old old f8eV  - - 1 2 2 2
old old f9eV  - - 1 1 1 1
old old faeV  - - - - - -
old old fbeV  - - 1 1 1 1
old old fceV  - - 1 1 1 1
old old fdeV  - - 2 2 2 2
old old feeV  - - - - - -
old old ffeV  1 1 1 1 1 1
old old fde3  - - 1 1 1 1
old old 01e3  2 2 1 1 1 1
old old fd0V  - - - - - -
-   old fdeV  - - 2 2 2 2
old -   fdeV  - - 1 1 1 1
old old-sum fdeV  - - - 1 1 1
old-sum old fceV  - - - 2 2 2
old -   f8eV  - - 1 - - -
-   old f9eV  - - - - - -
-   old 01eV  2 2 - - - -
old -   01eV  - - 1 1 1 1
"""

# Flags with the addresses of two images: user2's, then user1's.
_ADDRESSES: Final = """
old old fc6V  - - 1 1 1 1
old old fc2V  - - 2 2 2 2
old old fcaV  - - 2 2 2 2
old old fccV  - - 1 1 1 1
old old fc4V  - - 1 1 1 1
old old f86V  - - 2 2 2 2
old old f82V  - - 2 2 2 2
old old f9cV  - - 1 1 1 1
-   old fc6V  - - 2 2 2 2
-   old fcaV  - - 2 2 2 2
old -   fcaV  - - - - - -
"""

# Size code in the header, which versions, the end of the flash to them; the number says where user2 is:
# 2 at 0x21000, 3 at 0x41000, 4 at 0x81000, 5 at 0x101000.  1 was seen where they cannot read the flags.
_SIZES: Final = (
    (0, VERSIONS, 512 * KB, 3),
    (1, VERSIONS[:5], 256 * KB, 2),
    (1, VERSIONS[5:], 256 * KB, 3),
    (2, VERSIONS, MB, 4),
    (3, VERSIONS, 2 * MB, 4),
    (4, VERSIONS, 4 * MB, 4),
    (5, VERSIONS[:2], 512 * KB, 3),
    (5, VERSIONS[2:], 2 * MB, 5),
    (6, VERSIONS[:2], 512 * KB, 3),
    (6, VERSIONS[2:], 4 * MB, 5),
    (7, VERSIONS[:5], 512 * KB, 3),
    (7, VERSIONS[5:], 512 * KB, None),
    (8, VERSIONS[:5], 512 * KB, 3),
    (8, VERSIONS[5:], 8 * MB, 1),
    (11, VERSIONS, 512 * KB, 3),
)
_PLACES: Final = {1: 0x1000, 2: 0x21000, 3: 0x41000, 4: 0x81000, 5: 0x101000}


def sdk_cases(version: str) -> Iterator[Case]:
    """The cases of a version of Espressif's boot loader."""
    column, minor = VERSIONS.index(version), version[2]
    end = 512 * KB
    for line in _IMAGES.strip().splitlines():
        user1, user2, *seen = line.split()
        yield _users(f"{user1}, {user2}", user1, user2, _number(seen[column]))
    for table, more in ((_FLAGS, ""), (_ADDRESSES, "001004 001000")):
        for line in table.strip().splitlines():
            user1, user2, digits, *seen = line.split()
            name = f"{user1}, {user2}, flags {digits}{', addresses' if more else ''}"
            flags = bytes.fromhex(digits.replace("V", minor) + more)
            other = _changed(flags, 0, 1)
            copies = {end - 0x3000: flags, end - 0x2000: other, end - 0x1000: b"\0"}
            yield _users(name, user1, user2, _number(seen[column]), copies)
            if (user1, user2) == ("old", "old"):
                swapped = {end - 0x3000: other, end - 0x2000: flags, end - 0x1000: b"\1"}
                yield _users(f"{name}, second copy", user1, user2, _number(seen[column]), swapped)
    for code, versions, stated, seen_at in _SIZES:
        if version in versions:
            flags = bytes((1 if minor in "12" else 0xFD, 0xE0 | int(minor)))
            images = {at: image(number, "old") for number, at in _PLACES.items()}
            contents = {**images, stated - 0x3000: flags, stated - 0x1000: b"\0"}
            yield Case(f"size code {code}", max(2 * MB, stated), code, contents, seen_at)
    if minor == "7":
        contents = {0x101000: image(2, "old")}
        yield Case("8 MB, no user1", 8 * MB, 8, contents, None)


def _users(
    name: str, user1: str, user2: str, seen: int | None, copies: Mapping[int, bytes] | None = None
) -> Case:
    contents = {0x1000: image(1, user1), 0x41000: image(2, user2), **(copies or {})}
    return Case(name, 512 * KB, 0, contents, seen)


def _number(word: str) -> int | None:
    return None if word == "-" else int(word)


# --- rBoot -----------------------------------------------------------------------------------------

_ROMS: Final = (0x2000, 0x42000, 0x82000, 0xC2000)


def _rboot(name: str, images: str, seen: int | None, config: bytes = b"", *, code: int = 2) -> Case:
    """A flash of rBoot with some kinds of images at the four places; image n is at place n - 1."""
    kinds = zip(_ROMS, images.split(), strict=True)
    contents = {at: image(number, kind) for number, (at, kind) in enumerate(kinds, 1)}
    return Case(name, MB if code != 4 else 4 * MB, code, {0x1000: config, **contents}, seen)


def _config(*roms: int, current: int, mode: int = 0, count: int | None = None, magic: int = 0xE1) -> bytes:
    head = struct.pack("<6B2x", magic, 1, mode, current, 1, len(roms) if count is None else count)
    return head + struct.pack("<4I", *roms, *[0] * (4 - len(roms)))


_TWO: Final = (_ROMS[0], _ROMS[2])

RBOOT: Final = (
    _rboot("no configuration", "new - new -", 1),
    _rboot("no configuration, version 1", "old - - -", 1),
    _rboot("no configuration, ROM 0 damaged", "new-sum - new -", 3),
    _rboot("no configuration, damage where it does not look", "irom - new -", 1),
    _rboot("no configuration, no ROM 0", "- new new new", 3),
    _rboot("no configuration, no ROM", "- - - -", None),
    _rboot("no configuration, 512 KB", "- new - -", 2, code=0),
    _rboot("no configuration, 4 MB", "- new new new", 3, code=4),
    _rboot("no configuration, a size code that it does not know", "- new new new", 2, code=6),
    _rboot("another magic", "new - new -", 1, _config(*_TWO, current=1, magic=0xE2)),
    _rboot("ROM 1", "new - new -", 3, _config(*_TWO, current=1)),
    _rboot("ROM 1, not there", "new - - -", 1, _config(*_TWO, current=1)),
    _rboot("ROM 1, damaged", "new - new-sum -", 1, _config(*_TWO, current=1)),
    _rboot("ROM 0, damaged", "new-sum - new -", 3, _config(*_TWO, current=0)),
    _rboot("ROM 0, not whole", "long - new -", 3, _config(*_TWO, current=0)),
    _rboot("ROM 0, another marker", "marker - new -", 3, _config(*_TWO, current=0)),
    _rboot("the only ROM, damaged", "new-sum - new -", None, _config(_ROMS[0], current=0)),
    _rboot("ROM 1 of 1", "new - new -", 1, _config(_ROMS[0], current=1)),
    _rboot("ROM 3 of 2", "new - new -", 1, _config(*_TWO, current=3)),
    _rboot("of no ROM", "new - new -", 1, _config(*_TWO, current=0, count=0)),
    _rboot("ROM 2 of 4, damaged", "new new new-sum new", 2, _config(*_ROMS, current=2)),
    _rboot("ROMs 2 and 1 of 4, damaged", "new - new-sum new", 1, _config(*_ROMS, current=2)),
    _rboot("ROM 0 of 4, damaged", "new-sum new new new", 4, _config(*_ROMS, current=0)),
    _rboot("ROMs 0 and 3 of 4, damaged", "new-sum new new new-sum", 3, _config(*_ROMS, current=0)),
    _rboot("none of 4", "- - - -", None, _config(*_ROMS, current=1)),
    _rboot("a pin, which is high", "new - new -", 1, _config(*_TWO, current=0, mode=1)),
    _rboot("for once", "new - new -", 1, _config(*_TWO, current=0, mode=2)),
    _rboot("a ROM at 0", "new-sum - new -", None, _config(_ROMS[0], 0, current=0)),
)

# Where images are, also for builds that reach more than 1 MB; image n is at place n - 1.
_MORE_ROMS: Final = (*_ROMS, 0x22000, 0x102000, 0x202000, 0x8000, 0x108000)

# What rBoot 1.4.0 with its option "Big flash" takes for the second ROM, by the size code in its header.
_SECOND_ROMS: Final = ((0, 2), (1, 5), (2, 3), (3, 6), (4, 7), (5, 2), (6, 2), (7, 2))

BIG_FLASH: Final = tuple(
    Case(
        f"no configuration, no ROM 0, size code {code}",
        4 * MB,
        code,
        {at: image(number, "old") for number, at in enumerate(_MORE_ROMS, 1) if number > 1},
        seen,
    )
    for code, seen in _SECOND_ROMS
)

# What the rBoot of Mongoose OS was seen to start, by the images, and by what its configuration says.
_MONGOOSE_SETTINGS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"current": 1},
    {"current": 1, "first_boot": 1},
    {"current": 1, "first_boot": 1, "attempts": 1},
    {"previous": 1, "first_boot": 1, "attempts": 1},
    {"current": 1, "attempts": 1},
    {"current": 2},
    {"current": 1, "first_boot": 1, "attempts": 2, "updated": 1},
    {"current": 1, "first_boot": 0xFF},
)
_MONGOOSE: Final = """
new     new      8 9 9 8 9 9 8 8 9
new     -        8 8 8 8 8 8 8 8 8
-       new      9 9 9 9 9 9 9 9 9
new-sum new      9 9 9 9 9 9 9 9 9
new     new-sum  8 8 8 8 8 8 8 8 8
-       -        - - - - - - - - -
"""


def _mongoose() -> Iterator[Case]:
    places = _MORE_ROMS[7:]
    for line in _MONGOOSE.strip().splitlines():
        one, two, *seen = line.split()
        for settings, result in zip(_MONGOOSE_SETTINGS, seen, strict=True):
            said = ", ".join(f"{name} {value}" for name, value in settings.items())
            config = mongoose_config(places, **settings)
            contents = {0x1000: config, places[0]: image(8, one), places[1]: image(9, two)}
            yield Case(f"{one}, {two}, {said or 'as delivered'}", 2 * MB, 3, contents, _number(result))


MONGOOSE: Final = tuple(_mongoose())

# --- the boot loader of the RTOS SDK 3 -------------------------------------------------------------

_CHOICE: Final = firmwares.partition(1, 0, 0xD000, 0x2000, b"otadata")
_SHORT: Final = firmwares.partition(1, 0, 0xD000, 0x1000, b"otadata")
_FACTORY: Final = firmwares.partition(0, 0, 0x10000, 0x20000, b"factory")
_OTA: Final = tuple(
    firmwares.partition(0, 0x10 + n, 0x30000 + n * 0x20000, 0x20000, b"ota_%d" % n) for n in range(3)
)
_ALL: Final = (_CHOICE, _FACTORY, *_OTA)
_NO_FACTORY: Final = (_CHOICE, *_OTA)


def _rtos(name: str, rows: tuple[bytes, ...], images: str, seen: int | None, *entries: int | bytes) -> Case:
    """A flash of the RTOS SDK: image 1 is the factory's, image n + 2 that of slot n."""
    body = b"".join(rows)
    digest = b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(body, usedforsecurity=False).digest()
    kinds = zip(range(0x10000, 0x90000, 0x20000), images.split(), strict=True)
    contents = {at: image(number, kind) for number, (at, kind) in enumerate(kinds, 1)}
    for at, entry in zip((0xD000, 0xE000), entries, strict=False):
        contents[at] = entry if isinstance(entry, bytes) else firmwares.ota_entry(entry)
    return Case(name, MB, 2, {0x8000: body + digest, **contents}, seen)


_WRONG_CRC: Final = _changed(firmwares.ota_entry(2), 0, 1)
_WHOLE: Final = "old old old old"

RTOS: Final = (
    _rtos("never updated", _ALL, _WHOLE, 1),
    _rtos("update 1", _ALL, _WHOLE, 2, 1),
    _rtos("update 2", _ALL, _WHOLE, 3, 1, 2),
    _rtos("update 3", _ALL, _WHOLE, 4, 3, 2),
    _rtos("update 4", _ALL, _WHOLE, 2, 4, 3),
    _rtos("the same twice", _ALL, _WHOLE, 3, 5, 5),
    _rtos("the second entry alone", _ALL, _WHOLE, 3, b"", 2),
    _rtos("a wrong CRC", _ALL, _WHOLE, 1, _WRONG_CRC),
    _rtos("a wrong CRC, and an older one", _ALL, _WHOLE, 2, _WRONG_CRC, 1),
    _rtos("zeros", _ALL, _WHOLE, 1, bytes(0x2000)),
    _rtos("noise", _ALL, _WHOLE, 1, bytes(range(256)) * 32),
    _rtos("slot 1 damaged", _ALL, "old old old-sum old", 2, 2),
    _rtos("slots 1 and 0 damaged", _ALL, "old old-sum old-sum old", 1, 2),
    _rtos("slot 0 damaged", _ALL, "old old-sum old old", 1, 1),
    _rtos("slot 0 damaged, no factory's", _ALL, "- old-sum old old", 3, 1),
    _rtos("the factory's damaged", _ALL, "old-sum old old old", 2),
    _rtos("the factory's and slot 0 damaged", _ALL, "old-sum old-sum old old", 3),
    _rtos("nothing whole", _ALL, "- old-sum - old-sum", None, 2),
    _rtos("no factory's", _NO_FACTORY, _WHOLE, 2),
    _rtos("no factory's, slot 0 damaged", _NO_FACTORY, "- old-sum old old", 3),
    _rtos("no factory's, a wrong CRC", _NO_FACTORY, _WHOLE, 2, _WRONG_CRC),
    _rtos("no factory's, slot 2 damaged", _NO_FACTORY, "- old old old-sum", 3, 3),
    _rtos("nothing that chooses", (_FACTORY, *_OTA), _WHOLE, 1),
    _rtos("nothing that chooses, no factory's", _OTA, _WHOLE, 2),
    _rtos("nothing that chooses, the factory's damaged", (_FACTORY, *_OTA), "old-sum old old old", 2),
    _rtos("no application", (_CHOICE,), _WHOLE, None),
    _rtos("a partition that is too short", (_SHORT, _FACTORY, *_OTA), _WHOLE, None, 2),
    _rtos("rows in another order", (_CHOICE, _OTA[1], _OTA[0], _FACTORY), _WHOLE, 2, 1),
    _rtos("slot 1 alone", (_CHOICE, _FACTORY, _OTA[1]), _WHOLE, 1, 1),
)


# --- which image begins where ----------------------------------------------------------------------


def _user_number(case: Case, address: int) -> int:
    """Where the size is the matter, each place has a number; else there are but two."""
    if case.name.startswith("size code"):
        return next(number for number, at in _PLACES.items() if at == address)
    return 1 if address == _PLACES[1] else 2


PLACES: Final[Mapping[str, Callable[[Case, int], int]]] = {
    "espressif": _user_number,
    "rboot": lambda _, address: _MORE_ROMS.index(address) + 1,
    "otadata": lambda _, address: (address - 0x10000) // 0x20000 + 1,
}
"""The number of the image at an address, by who starts it."""
