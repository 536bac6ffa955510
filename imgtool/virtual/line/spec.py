"""The name of a virtual chip, ``sim:4MB,flash=FILE``: parsing only.

Not the chip (imgtool.virtual.chip.machine).  The files that ``flash=`` and ``rom=`` name are parts of the
name, so they are opened here and not by a command.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import FLASH_SIZES, OWN_ROM
from imgtool.errors import FormatError
from imgtool.flash_parts import default_part, flash_part
from imgtool.phrase import Name
from imgtool.virtual.chip.faults import FaultPlan, parse_plan
from imgtool.virtual.chip.machine import EMBEDDED_SIZES, ChipModel, Setup, VirtualChip
from imgtool.virtual.chip.nor import MAXIMUM, TYPICAL
from imgtool.virtual.chip.store import FileStore, MemoryStore, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ROM_VARIABLE", "SCHEME", "SIZES", "TIMINGS", "Spec", "parse_mac", "parse_spec"]

SCHEME: Final = "sim:"

ROM_VARIABLE: Final = "IMGTOOL_BOOT_ROM"
"""Environment variable with the path of a dump of the boot ROM."""

SIZES: Final = {
    size.name: size.bytes for size in FLASH_SIZES if not size.name.endswith("-c1") and size.name != "256KB"
}
"""The flash sizes that a virtual chip can have, bytes."""

TIMINGS: Final = {"typical": TYPICAL, "maximum": MAXIMUM}
"""How long the flash may take, by name."""

_MAC: Final = re.compile(r"[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}", re.IGNORECASE)

_MILLISECONDS: Final = re.compile(r"\d{1,4}(?:\.\d{1,3})?")
_FAULT: Final = re.compile(r"(?:^|,)fault=")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a virtual chip is asked to be.

    Attributes:
        size: Bytes of flash; None for the part's, or 4 MB.
        part: Name of the flash chip; None for a common one of that size.
        flash: File that holds the content; None for memory.
        mac: MAC address, 6 bytes; None for a fixed one of Espressif's.
        model: ESP8266 or ESP8285.
        boot: Whether it boots from flash at a connection rather than wait in download mode.
        boot_writes: Whether a boot does the first-boot writes that firmware is documented to do.
        faults: The faults it has.
        timing: How long the flash takes: the ``typical`` times of data sheets, or the ``maximum`` ones.
        report: File for the counts and modelled times when the port is closed; None for none.
        rise: How long EN takes to rise when nothing pulls it any more, ms; None for the board's 3 ms.
        rom: A dump of the boot ROM, or ``own`` for functions of imgtool's: with either a boot runs the
            firmware's own code.  None for what the environment names, or a boot as imgtool models it.
    """

    size: int | None = None
    part: str | None = None
    flash: Path | None = None
    mac: bytes | None = None
    model: ChipModel = ChipModel.ESP8266
    boot: bool = False
    boot_writes: bool = False
    faults: FaultPlan = field(default_factory=FaultPlan)
    timing: str = "typical"
    report: Path | None = None
    rise: float | None = None
    rom: Path | None = None

    def chip(self, setup: Setup) -> VirtualChip:
        """The chip, off: one that runs the firmware's own code if there is a ROM.

        Args:
            setup: As :meth:`setup` gives it.

        Raises:
            FormatError: The ROM's file is no dump of it.
            ImgtoolError: It cannot be read.
        """
        path = self.rom or (Path(name) if (name := os.environ.get(ROM_VARIABLE)) else None)
        if path is None:
            return VirtualChip(setup)
        # Most chips do without, and start faster.
        from imgtool.virtual.board.boot_rom import BootRom  # noqa: PLC0415
        from imgtool.virtual.board.firmware_chip import FirmwareChip  # noqa: PLC0415

        if str(path) == OWN_ROM:
            return FirmwareChip(setup, None)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise unusable("the boot ROM cannot be read", path, error) from error
        return FirmwareChip(setup, BootRom.parse(data, source=str(path)))

    def setup(self) -> Setup:
        """Open the flash file if there is one, and say what the chip is made of.

        Raises:
            FormatError: The part is not known, or is of another size.
            ImgtoolError: The file is of another size, in use, or cannot be used.
        """
        if self.part is None:
            part = default_part(self.size or SIZES["4MB"])
        else:
            try:
                part = flash_part(self.part)
            except KeyError:
                raise FormatError(
                    "no such flash part", expected="one of docs/virtual/parts.md", found=self.part
                ) from None
            if self.size not in (None, part.bytes):
                raise FormatError(
                    f"the flash part {part.name} is of another size",
                    expected=_name_of(part.bytes),
                    found=_name_of(self.size or 0),
                )
        if self.model is ChipModel.ESP8285 and part.bytes not in EMBEDDED_SIZES:
            sizes = [name for name, size in SIZES.items() if size in EMBEDDED_SIZES]
            raise FormatError(
                "no ESP8285 has a flash of that size",
                expected=", ".join(sizes),
                found=_name_of(part.bytes),
            )
        store = MemoryStore(part.bytes) if self.flash is None else FileStore(self.flash, part.bytes)
        setup = Setup(
            part,
            store,
            model=self.model,
            plan=self.faults,
            boot_writes=self.boot_writes,
            timing=TIMINGS[self.timing],
        )
        if self.rise is not None:
            setup = replace(setup, rise_ns=round(self.rise * 1e6))
        return setup if self.mac is None else replace(setup, mac=self.mac)


def _name_of(size: int) -> str:
    return next((name for name, bytes_ in SIZES.items() if bytes_ == size), f"{size} bytes")


def parse_mac(text: str) -> bytes:
    """A MAC address from ``aa:bb:cc:dd:ee:ff``, with or without the colons.

    Raises:
        FormatError: It is none, or begins with 00:00:00, which the efuses have no way to say.
    """
    if _MAC.fullmatch(text) is None:
        raise FormatError("not a MAC address", expected="six pairs of hex digits", found=text)
    address = bytes.fromhex(re.sub("[:-]", "", text))
    if not any(address[:3]):
        raise FormatError("no chip can have that MAC address", expected="not 00:00:00 first", found=text)
    return address


def parse_spec(text: str) -> Spec:
    """The virtual chip that a port name asks for.

    Words stand between commas behind ``sim:``: a flash size first, then any of ``flash=FILE``, ``part=NAME``,
    ``mac=ADDRESS``, ``chip=esp8266|esp8285``, ``timing=typical|maximum``, ``report=FILE``, ``boot=run``,
    ``run`` (the same), ``boot-writes``, ``rise=MILLISECONDS``, ``rom=FILE``, and ``fault=PLAN``, which takes
    the rest.

    Raises:
        FormatError: A word is not understood.
    """
    if not text.startswith(SCHEME):
        raise FormatError("not the name of a virtual chip", expected=f"{SCHEME}...", found=Name(text))
    values: dict[str, Any] = {}
    body, *plan = _FAULT.split(text.removeprefix(SCHEME), maxsplit=1)
    if plan:
        values["faults"] = parse_plan(plan[0])
    for number, word in enumerate(_words(body)):
        name, equals, value = word.partition("=")
        if number == 0 and word.upper() in SIZES:
            values["size"] = SIZES[word.upper()]
        elif word in _FLAGS:
            values[_FLAGS[word]] = True
        elif equals and value and name in _WORDS:
            field_name, parse = _WORDS[name]
            values[field_name] = parse(value)
        else:
            raise FormatError(
                "not understood in the name of a virtual chip",
                expected=f"a flash size, {'=, '.join(_WORDS)}=, {', '.join(_FLAGS)} or fault=",
                found=Name(word),
            )
    return Spec(**values)


def _words(body: str) -> Iterator[str]:
    """The words between the commas; one in the name of a folder, with more of the path behind it, is none."""
    for piece in _NEXT.split(body):
        first, comma, rest = piece.partition(",")
        if comma and first.startswith(_PATHS) and _SEPARATOR.search(rest):
            yield piece
        else:
            yield from filter(None, piece.split(","))


def _model(text: str) -> ChipModel:
    return ChipModel(_one_of(text, [model.value for model in ChipModel]))


def _boots(text: str) -> bool:
    return _one_of(text, ["download", "run"]) == "run"


def _timing(text: str) -> str:
    return _one_of(text, list(TIMINGS))


def _rise(text: str) -> float:
    if _MILLISECONDS.fullmatch(text) is None:
        raise FormatError(
            "EN cannot take that long to rise", expected="milliseconds, 9999 at most", found=text
        )
    return float(text)


def _one_of(text: str, words: list[str]) -> str:
    if text not in words:
        raise FormatError(
            "not understood in the name of a virtual chip", expected=" or ".join(words), found=text
        )
    return text


_WORDS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "flash": ("flash", Path),
    "part": ("part", str),
    "mac": ("mac", parse_mac),
    "chip": ("model", _model),
    "boot": ("boot", _boots),
    "timing": ("timing", _timing),
    "report": ("report", Path),
    "rise": ("rise", _rise),
    "rom": ("rom", Path),
}
_FLAGS: Final = {"run": "boot", "boot-writes": "boot_writes"}
_PATHS: Final = ("flash=", "report=", "rom=")
_SEPARATOR: Final = re.compile(r"[/\\]")
_NEXT: Final = re.compile(rf",(?=(?:{'|'.join(_WORDS)})=|(?:{'|'.join(_FLAGS)})(?:,|$))")
