"""Which ROM rBoot tries first, where its ROMs are, and why: by its configuration and how it was built.

rBoot's own rule, and that of Mongoose OS.  Not whether a ROM is taken (loader_checks.py), and not what comes
after one that is not (flash_slots.py).  What was run: docs/formats/flash-dump.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.reading import PartKind
from imgtool.formats.regions.rboot_config import MongooseConfig, RbootConfig

if TYPE_CHECKING:
    from imgtool.formats.reading import Reading

__all__ = ["RomChoice", "rom_choice"]

_FIRST: Final = 0x2000
# Half of the flash by the size code in the header, as it takes it for the second ROM of its default.
_HALVES: Final = {1: 0x2_0000, 2: 0x8_0000, 3: 0x8_0000, 4: 0x8_0000}
_HALVES_OF_BIG: Final = {**_HALVES, 3: 0x10_0000, 4: 0x20_0000}
_HALF: Final = 0x4_0000
_GPIO, _TEMPORARY = 0x01, 0x02
_WINDOW: Final = 0x10_0000  # so much of the flash code runs from, if nothing maps another part of it
_VERSION: Final = b"rBoot v"
_BIG: Final = b"rBoot Option: Big flash"
_CHECKED: Final = b"rBoot Option: Config chksum"
_OF_MONGOOSE: Final = (b"-cesanta", b"Boot is unconfirmed")


class RomChoice(NamedTuple):
    """What rBoot goes by: the ROM that it tries first, all of them, and why.

    Attributes:
        first: Its number; None where that is not known.
        roms: Flash addresses; empty where they are not known.
        why: For people.
        doubt: What may choose another one; empty where nothing can.
        default: Whether there is no configuration that counts, so that the places are those of its build.
        reach: Flash address from which on its ROMs do not run; None where all do.
    """

    first: int | None
    roms: tuple[int, ...]
    why: str
    doubt: str = ""
    default: bool = False
    reach: int | None = None


def rom_choice(data: bytes, reading: Reading) -> RomChoice:
    """What the rBoot at the start of a flash goes by.

    Args:
        data: The whole flash.
        reading: What the survey made of it.
    """
    loader = data[: reading.parts[0].end]
    config = next((part.value for part in reading.parts if part.kind is PartKind.RBOOT_CONFIG), None)
    if isinstance(config, MongooseConfig):
        return _of_mongoose(config, checked=_CHECKED in loader)
    if any(mark in loader for mark in _OF_MONGOOSE):
        what = "no configuration of Mongoose OS" if isinstance(config, RbootConfig) else "no configuration"
        return RomChoice(None, (), f"{what}, and the default of Mongoose OS is set by its build")
    if not isinstance(config, RbootConfig):
        return _default(loader, "no configuration")
    check = config.checksum
    if _CHECKED in loader and (check is None or not check.ok):
        return _default(loader, "the configuration has no right checksum")
    roms = config.roms[: max(1, config.count)]
    if check is not None and not check.ok and _VERSION not in loader:
        why = "the configuration's checksum is wrong, and not every build of rBoot looks at it"
        return RomChoice(None, roms, why)
    return RomChoice(
        config.current_rom,
        roms,
        f"the configuration names ROM {config.current_rom} of {config.count}",
        _doubt(config.mode, config.gpio_rom),
        reach=_WINDOW if _VERSION in loader and _BIG not in loader else None,
    )


def _default(loader: bytes, why: str) -> RomChoice:
    halves = _HALVES_OF_BIG if _BIG in loader else _HALVES
    second = halves.get(loader[3] >> 4, _HALF) + _FIRST
    why = f"{why}: rBoot writes its default, which names ROM 0"
    return RomChoice(0, (_FIRST, second), why, default=True)


def _of_mongoose(config: MongooseConfig, *, checked: bool) -> RomChoice:
    """Mongoose OS: an update is tried once, and if it does not confirm that it works, the ROM before it."""
    if checked and (config.checksum is None or not config.checksum.ok):
        why = "the configuration has no right checksum, and the default of Mongoose OS is set by its build"
        return RomChoice(None, config.roms, why)
    first, why = config.current_rom, f"the configuration names ROM {config.current_rom} of {config.count}"
    if config.first_boot and first < config.count:
        if config.attempts and config.previous_rom >= config.count:
            why = f"the update failed, and ROM {config.previous_rom}, to which it goes back, is none"
            return RomChoice(None, config.roms, why)
        if config.attempts:
            first = config.previous_rom
            why = f"ROM {config.current_rom} was tried and not confirmed, so it goes back to ROM {first}"
        else:
            why += ", an update that is tried once and is not confirmed yet"
    return RomChoice(first, config.roms, why, _doubt(config.mode, config.previous_rom))


def _doubt(mode: int, rom: int) -> str:
    """What may choose another ROM than the configuration: a pin that one, a program any."""
    if mode & _GPIO:
        return f"a pin at reset selects ROM {rom}"
    return "a program may choose another for once" if mode & _TEMPORARY else ""
