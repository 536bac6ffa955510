"""The content of a flash, or of a part of it, as bytes and as a file; and the boot ROM of the chip.

Not the reading itself (imgtool.operations.flashing), and no file is written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import ROM_BASE, ROM_SHA256
from imgtool.device.events import ignore
from imgtool.device.session import ConnectOptions
from imgtool.engine.chips import work_fields
from imgtool.engine.connecting import connected
from imgtool.engine.documents import document
from imgtool.engine.results import Output, Row, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import LayoutError, UsageError
from imgtool.operations.flashing import boot_rom, transfer
from imgtool.phrase import Name, Phrase
from imgtool.quantities import duration, in_bytes

if TYPE_CHECKING:
    from datetime import datetime

    from imgtool.device.events import Listener
    from imgtool.device.session import Session
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document

__all__ = ["ReadRequest", "ReadResult", "ReadRomRequest", "backup_name", "check_size", "read", "read_rom"]

_UNKNOWN_ROM: Final = (
    "this is not the boot ROM that imgtool knows: it came twice alike, but its SHA-256 is another one, so no"
    " virtual chip takes it; read it again with --baud 115200"
)
_NO_ROM: Final = (
    "there is no boot ROM: nearly all of it is 0, as on a virtual chip without one; rom=FILE in the name of"
    " its port gives it one"
)
_FEW: Final = 0x100  # bytes that a virtual chip without a ROM has there, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """What is to be read.

    Attributes:
        address: Where it begins.
        size: Bytes; None for all up to the end of the flash.
        output: Name of the file that is made of it, or of the folder of a backup; None for no file, or for
            the folder that one is in.
        backup: The moment that names the file, beside the chip's MAC; None where ``output`` names it.
        connect: How to connect; None for the usual way.

    Raises:
        UsageError: Nothing is to be read, or what lies before the flash.
    """

    address: int = 0
    size: int | None = None
    output: str | None = None
    backup: datetime | None = None
    connect: ConnectOptions | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            check_size(self.size)
        if self.address < 0:
            raise UsageError("not an address", expected="0 or more", found=str(self.address))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRomRequest:
    """How the boot ROM is to be read.

    Attributes:
        output: Name of the file that is made of it; None for no file.
        sha256: Digest that it should have, lower-case hex: that of the one boot ROM that is known.
        connect: How to connect; None for the usual way, which is without a stub.
    """

    output: str | None = None
    sha256: str = ROM_SHA256
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What was read.

    Attributes:
        address: Where it begins: in the flash, or of the boot ROM in the address space.
        data: The bytes.
        seconds: How long it took, by the clock of the port.
        document: What ``imgtool read --json`` prints.
        words: What a person is told.
        outputs: The file, if one was asked for.
        ok: True; false for a boot ROM that is not the known one.
        code: 0; 1 for such a boot ROM.
    """

    address: int
    data: bytes = field(repr=False)
    seconds: float
    document: Document = field(repr=False)
    words: Words = field(repr=False)
    outputs: tuple[Output, ...] = field(repr=False)
    ok: bool = True
    code: int = DONE


def check_size(size: int, word: str | None = None) -> None:
    """Refuse to read nothing.

    Args:
        size: Bytes that are to be read.
        word: How that was spelled, for the message.

    Raises:
        UsageError: There are none.
    """
    if size <= 0:
        raise UsageError("nothing is to be read", expected="a size", found=word or str(size))


def backup_name(mac: bytes, moment: datetime, *, files: bool = False) -> str:
    """The name of a backup of a chip's flash; with the time, so that of two on one day both are kept.

    Args:
        mac: The chip's MAC address.
        moment: When.
        files: Whether it is of its file system alone.
    """
    return f"imgtool-{'files-' if files else ''}{mac.hex()}-{moment:%Y%m%d-%H%M%S}.bin"


def read(wire: Wire, request: ReadRequest, on_event: Listener = ignore) -> ReadResult:
    """Read the flash, or a part of it.

    Args:
        wire: An open port, which stays open.
        request: What is to be read.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        UsageError: It is to be read to the end, and nobody knows where that is.
        LayoutError: The region goes beyond the end of the flash.
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
        InterruptedRunError: It was stopped.
    """
    with (
        stoppable("the flash is as it was, and no file was written"),
        connected(wire, request.connect, on_event) as session,
    ):
        address, size = _bounds(request, session)
        clock = session.wire.clock
        start = clock.monotonic()
        data = transfer.read_flash(session, address, size, on_event)
        return _result(request, data, clock.monotonic() - start, session)


def read_rom(wire: Wire, request: ReadRomRequest, on_event: Listener = ignore) -> ReadResult:
    """Read the boot ROM of the chip: 64 KB.

    What has the known digest is proved by it.  Anything else is read twice, and given back all the same where
    it comes twice alike; the result then is not ok, and says so.

    Args:
        wire: An open port, which stays open.
        request: How.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        ChipError: The chip is silent, or a part of the ROM comes differently every time.
        PortError: The port is lost and does not come back.
        InterruptedRunError: It was stopped.
    """
    options = request.connect or ConnectOptions()
    if options.stub == "auto":
        # Any of them is asked word by word.  Espressif's has one request under way at a time, and takes three
        # times as long; imgtool's own saves some seconds, for which nothing need be loaded into the chip.
        options = replace(options, stub="none")
    with (
        stoppable("the flash is as it was, and no file was written"),
        connected(wire, options, on_event) as session,
    ):
        clock = session.wire.clock
        start = clock.monotonic()
        reading = boot_rom.read_boot_rom(session, on_event, known=request.sha256)
        return _rom_result(request, reading, clock.monotonic() - start, session)


def _bounds(request: ReadRequest, session: Session) -> tuple[int, int]:
    """Where to read, and how many bytes."""
    capacity = session.flash.bytes
    address, size = request.address, request.size
    if size is None:
        if capacity is None:
            raise UsageError(
                "the capacity of the flash is not known", expected="ADDR SIZE", found=session.flash.id.hex()
            )
        size = capacity - address
    if capacity is not None and (size <= 0 or address + size > capacity):
        raise LayoutError(
            "the region goes beyond the end of the flash",
            expected=f"its end at or below 0x{capacity:06x}",
            found=f"0x{address:06x} and {in_bytes(max(0, size))}",
        )
    return address, size


def _result(request: ReadRequest, data: bytes, seconds: float, session: Session) -> ReadResult:
    name = request.output
    if request.backup is not None:
        name = str(PurePath(name or "") / backup_name(session.chip.mac_bytes, request.backup))
    fields = _fields(session, name, request.address, data, seconds)
    told = f"{len(data):,} bytes from 0x{request.address:06x} on, in {duration(seconds)}"
    return ReadResult(
        address=request.address,
        data=data,
        seconds=seconds,
        document=document("read", ok=True, results=[fields]),
        words=Words(
            verdict=told if name is None else Phrase(Name(name), f": {told}"),
            rows=(Row("sha256", fields["sha256"]),),
        ),
        outputs=() if name is None else (Output(name, data),),
    )


def _rom_result(
    request: ReadRomRequest, reading: boot_rom.RomReading, seconds: float, session: Session
) -> ReadResult:
    data, name = reading.content, request.output
    fields = {**_fields(session, name, ROM_BASE, data, seconds), "known": reading.known}
    what = "the boot ROM" if reading.known else "not the boot ROM that is known"
    told = f"{what}, {in_bytes(len(data))} from 0x{ROM_BASE:08x} on, in {duration(seconds)}"
    empty = len(data) - data.count(0) <= _FEW
    warnings = [] if reading.known else [_NO_ROM if empty else _UNKNOWN_ROM]
    return ReadResult(
        address=ROM_BASE,
        data=data,
        seconds=seconds,
        document=document("read", ok=reading.known, results=[fields], warnings=warnings),
        words=Words(
            verdict=told if name is None else Phrase(Name(name), f": {told}"),
            tone=Tone.PLAIN if reading.known else Tone.WRONG,
            rows=(Row("sha256", fields["sha256"]),),
            notes=tuple(warnings),
        ),
        outputs=() if name is None else (Output(name, data),),
        ok=reading.known,
        code=DONE if reading.known else NO,
    )


def _fields(session: Session, name: str | None, address: int, data: bytes, seconds: float) -> dict[str, Any]:
    return {
        **work_fields(session),
        "path": name,
        "address": address,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "seconds": round(seconds, 3),
    }
