"""A flasher stub: a program in the chip's RAM that knows more commands than the ROM loader does.

imgtool's own is a part of it, built from imgtool/device/firmware.  Espressif's stubs are not: they are
loaded from an installed esptool when they are needed, as data, and no code of esptool runs.  Version 2
(Apache-2.0 or MIT) is esptool's own choice; version 1 (GPL-2.0-or-later) is there for chips on which 2 does
not start.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imgtool.device.protocol import MEMORY_PACKET, Command, data_packet, mem_begin, mem_end
from imgtool.errors import FormatError, LineError, StubError, StubLineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.device.link import Link

__all__ = ["OWN", "Stub", "espressif_stubs", "own_late_code", "own_stub", "parse_stub", "start_stub"]

OWN: Final = "imgtool"
"""Name of imgtool's own stub."""


_GREETING: Final = b"OHAI"
_START: Final = 2.0  # seconds until it greets
_FOLDERS: Final = ("2", "1")


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub as it is loaded.

    Attributes:
        name: What to call it.
        blocks: Load addresses and bytes.
        entry: Where it is started.
    """

    name: str
    blocks: tuple[tuple[int, bytes], ...]
    entry: int

    @property
    def size(self) -> int:
        """Bytes to load."""
        return sum(len(data) for _, data in self.blocks)


def parse_stub(text: str, name: str) -> Stub:
    """A stub from the JSON in which esptool carries it.

    Raises:
        FormatError: It is none.
    """
    try:
        fields = json.loads(text)
        blocks = tuple(
            (int(fields[f"{part}_start"]), base64.b64decode(fields[part], validate=True))
            for part in ("text", "data")
            if part in fields
        )
        return Stub(name, blocks, int(fields["entry"]))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise FormatError(
            "this is no flasher stub", source=name, expected="text, data and entry", found=str(error)
        ) from None


def espressif_stubs() -> tuple[Stub, ...]:
    """Espressif's stubs of an installed esptool, the preferred one first; none where there is no esptool."""
    try:
        esptool = distribution("esptool")
    except PackageNotFoundError:
        return ()
    stubs: list[Stub] = []
    for folder in _FOLDERS:
        path = esptool.locate_file(f"esptool/targets/stub_flasher/{folder}/esp8266.json")
        try:
            stubs.append(parse_stub(Path(str(path)).read_text(encoding="utf-8"), f"espressif v{folder}"))
        except (OSError, FormatError):
            # Another version of esptool, which keeps it elsewhere or otherwise.
            continue
    return tuple(stubs)


def own_stub() -> Stub:
    """The stub that is a part of imgtool."""
    text = files("imgtool.device").joinpath("firmware", "stub.json").read_text(encoding="utf-8")
    return parse_stub(text, OWN)


def own_late_code() -> tuple[int, bytes]:
    """Where the code goes that our own stub can do without at first, and its bytes."""
    fields = json.loads(files("imgtool.device").joinpath("firmware", "stub.json").read_text(encoding="utf-8"))
    return int(fields["late_start"]), base64.b64decode(fields["late"])


def start_stub(link: Link, stub: Stub, on_bytes: Callable[[int], None]) -> float:
    """Load a stub and start it.

    Args:
        link: The line to the ROM loader.
        stub: The stub.
        on_bytes: Told how many bytes have been loaded.

    Returns:
        Seconds from its start to its greeting.

    Raises:
        ChipError: It does not start.
        PortError: The port is lost.
    """
    loaded = 0
    for address, data in stub.blocks:
        link.request(mem_begin(address, len(data)))
        for number, start in enumerate(range(0, len(data), MEMORY_PACKET)):
            packet = data[start : start + MEMORY_PACKET]
            link.request(data_packet(Command.MEM_DATA, packet, number))
            loaded += len(packet)
            on_bytes(loaded)
    started = link.wire.clock.monotonic()
    link.request(mem_end(stub.entry))
    try:
        greeting = link.receive(_START, len(_GREETING) + 2)
    except LineError:
        raise StubLineError("the flasher stub does not start", source=stub.name) from None
    if greeting != _GREETING:
        raise StubError(
            "the flasher stub starts wrong", source=stub.name, expected="OHAI", found=greeting[:16].hex()
        )
    return link.wire.clock.monotonic() - started
