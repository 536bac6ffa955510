"""All of a flash, a range of it or a region with a name, erased.

Not the erasing itself (imgtool.operations.flashing.transfer).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from imgtool.chip import SECTOR
from imgtool.device.events import ignore
from imgtool.engine.chips import work_fields
from imgtool.engine.choices import ERASE_ALL, ERASE_CHOICES, ERASE_REGIONS, SDK_REGIONS
from imgtool.engine.connecting import DeviceReader, connected
from imgtool.engine.documents import document
from imgtool.engine.results import Table, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE
from imgtool.errors import LayoutError, UsageError
from imgtool.operations.flashing import transfer
from imgtool.operations.flashing.device_places import check_stated_size
from imgtool.operations.inspect.device_settings import region_by_name, remembered
from imgtool.quantities import duration

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.results import Output

__all__ = ["EraseRange", "EraseRequest", "EraseResult", "erase", "whole_sectors"]


class EraseRange(NamedTuple):
    """A range of the flash: its name, empty for none, its address and its bytes."""

    name: str
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class EraseRequest:
    """What is to be erased.

    Attributes:
        what: ``all``, a name (``rf-cal``, ``init-data``, ``system-param``, ``filesystem`` or ``lfs``), or
            a range of whole sectors.
        connect: How to connect; None for the usual way.

    Raises:
        UsageError: Nothing has that name, or the range is not of whole sectors.
    """

    what: str | EraseRange
    connect: ConnectOptions | None = None

    def __post_init__(self) -> None:
        if isinstance(self.what, EraseRange):
            whole_sectors(self.what.address, self.what.size)
        elif self.what not in (ERASE_ALL, *ERASE_REGIONS):
            raise UsageError("not something to erase", expected=ERASE_CHOICES, found=self.what)


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseResult:
    """What was erased.

    Attributes:
        erased: The ranges; of a whole flash of unknown capacity one of no bytes.
        verified: Whether the chip has said that they are blank.
        seconds: How long it took, by the clock of the port.
        document: What ``imgtool erase --json`` prints.
        words: What a person is told.
        ok: True.
        code: 0.
        outputs: None.
    """

    erased: tuple[EraseRange, ...]
    verified: bool
    seconds: float
    document: Document = field(repr=False)
    words: Words = field(repr=False)
    ok: bool = True
    code: int = DONE
    outputs: tuple[Output, ...] = ()


def whole_sectors(address: int, size: int, words: tuple[str, str] | None = None) -> EraseRange:
    """A range that can be erased.

    Args:
        address: Where it begins.
        size: Bytes.
        words: How address and size were spelled, for the message.

    Raises:
        UsageError: It does not begin and end at a sector, or is empty.
    """
    spelled = words or (f"0x{address:x}", f"0x{size:x}")
    _check_aligned(address, "address", spelled[0])
    _check_aligned(size, "size", spelled[1])
    if not size:
        raise UsageError("nothing is to be erased", expected="a size", found=spelled[1])
    return EraseRange("", address, size)


def _check_aligned(value: int, what: str, word: str) -> None:
    low = value // SECTOR * SECTOR
    if low == value and value >= 0:
        return
    neighbours = f"0x{low:x} or 0x{low + SECTOR:x}" if low or what == "address" else f"0x{SECTOR:x}"
    raise UsageError(
        f"only whole sectors of 0x{SECTOR:x} bytes can be erased: the {what} is none",
        expected=neighbours,
        found=word,
    )


def erase(wire: Wire, request: EraseRequest, on_event: Listener = ignore) -> EraseResult:
    """Erase the flash, a range of it, or what has a name.

    Args:
        wire: An open port, which stays open.
        request: What is to be erased.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        LayoutError: The range goes beyond the end of the flash, or nothing tells where the name is: of the
            header on the device a StatedSizeError, of no firmware there a NoFirmwareError.
        ChipError: The chip is silent, or the flash does not erase.
        PortError: The port is lost and does not come back.
        VerifyError: It is not blank afterwards.
        InterruptedRunError: It was stopped.
    """
    with (
        stoppable("nothing was erased") as left,
        connected(wire, request.connect, on_event) as session,
    ):
        clock = session.wire.clock
        start = clock.monotonic()
        ranges = _ranges(request.what, session, on_event)
        left.words = "the flash may be erased in part"
        if request.what == ERASE_ALL:
            transfer.erase_chip(session, on_event)
        else:
            for each in ranges:
                transfer.erase(session, each.address, each.size, on_event)
        left.words = "what was to be erased is erased"
        return _result(ranges, clock.monotonic() - start, session)


def _ranges(what: str | EraseRange, session: Session, on_event: Listener) -> tuple[EraseRange, ...]:
    """What is to be erased, by what is known of the flash."""
    capacity = session.flash.bytes
    if isinstance(what, EraseRange):
        if capacity is not None and what.address + what.size > capacity:
            raise LayoutError(
                "the region goes beyond the end of the flash",
                expected=f"its end at or below 0x{capacity:06x}",
                found=f"0x{what.address + what.size:06x}",
            )
        return (what,)
    if what == ERASE_ALL:
        return (EraseRange("the whole flash", 0, capacity or 0),)
    if capacity is None:
        raise LayoutError(
            "the capacity of the flash is not known, so nothing tells where it is",
            found=session.flash.id.hex(),
        )
    read = remembered(DeviceReader(session, on_event))
    found = region_by_name(what, read, capacity)
    if what in SDK_REGIONS:
        check_stated_size(read, capacity)
    return tuple(EraseRange(region.name or what, region.start, region.size) for region in found)


def _result(erased: tuple[EraseRange, ...], seconds: float, session: Session) -> EraseResult:
    verified = session.flasher.digests
    fields = {
        **work_fields(session),
        "erased": [each._asdict() for each in erased],
        "verified": "digest" if verified else "no",
        "seconds": round(seconds, 3),
    }
    checked = "erased and verified" if verified else "erased, not verified"
    return EraseResult(
        erased=erased,
        verified=verified,
        seconds=seconds,
        document=document("erase", ok=True, results=[fields]),
        words=Words(
            verdict=f"{checked}, in {duration(seconds)}",
            tone=Tone.GOOD,
            tables=(
                Table(
                    rows=tuple((f"0x{each.address:06x}", f"{each.size:,}", each.name) for each in erased),
                    head=("address", "size", ""),
                    right=(1,),
                ),
            ),
        ),
    )
