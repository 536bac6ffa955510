"""``imgtool erase``: all of the flash, a region, or what has a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from imgtool.chip import SECTOR
from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortOption,
    ResetOption,
    StubOption,
)
from imgtool.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import Session

__all__ = ["erase"]

_ALL: Final = "all"
_NAMES: Final = ("rf-cal", "init-data", "system-param", "filesystem")
_CHOICES: Final = f"{_ALL}, ADDR SIZE, {', '.join(_NAMES[:-1])} or {_NAMES[-1]}"
_REGION: Final = 2
_ERASE_ALL: Final = "erase-flash"


def erase(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHAT", help=f"{_CHOICES}.", show_default=False),
    ] = None,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Erase the flash, a region of it, or what has a name.

    Example: imgtool erase init-data
    """
    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.run.connecting import connected
    from imgtool.cli.show.progress import Progress

    # esptool's name for it says what is to be erased.
    words = what or ([_ALL] if context.info_name == _ERASE_ALL else [])
    wanted = _wanted(words)
    options = connect_options(baud, stub, reset, no_stub=no_stub)
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress:
        listener = progress.listener(name)
        with connected(name, options, progress) as session:
            start = session.wire.clock.monotonic()
            regions = _regions(wanted, session, listener)
            try:
                _erase(wanted, regions, session, listener)
            except KeyboardInterrupt:
                raise InterruptedRunError("interrupted: the flash may be erased in part") from None
            seconds = session.wire.clock.monotonic() - start
            progress.clear()
            _report(regions, seconds, session, as_json=json)


class EraseRange(NamedTuple):
    """What is erased: name, address and size."""

    name: str
    address: int
    size: int


def _wanted(words: list[str]) -> str | EraseRange:
    """What the words ask for: ``all``, a name, or a region of whole sectors."""
    from imgtool.cli.input.options import number

    if not words:
        raise UsageError("nothing is named that is to be erased", expected=_CHOICES, found="nothing")
    if len(words) == 1 and words[0] in (_ALL, *_NAMES):
        return words[0]
    if len(words) != _REGION:
        raise UsageError("not something to erase", expected=_CHOICES, found=" ".join(words))
    address = number(words[0], "address")
    size = number(words[1], "size")
    _check_aligned(address, "address", words[0])
    _check_aligned(size, "size", words[1])
    if not size:
        raise UsageError("nothing is to be erased", expected="a size", found=words[1])
    return EraseRange("", address, size)


def _check_aligned(value: int, what: str, word: str) -> None:
    low = value // SECTOR * SECTOR
    if low == value:
        return
    neighbours = f"0x{low:x} or 0x{low + SECTOR:x}" if low or what == "address" else f"0x{SECTOR:x}"
    raise UsageError(
        f"only whole sectors of 0x{SECTOR:x} bytes can be erased: the {what} is none",
        expected=neighbours,
        found=word,
    )


def _regions(wanted: str | EraseRange, session: Session, listener: Listener) -> tuple[EraseRange, ...]:
    from imgtool.errors import LayoutError

    capacity = session.flash.bytes
    if isinstance(wanted, EraseRange):
        if capacity is not None and wanted.address + wanted.size > capacity:
            raise LayoutError(
                "the region goes beyond the end of the flash",
                expected=f"its end at or below 0x{capacity:06x}",
                found=f"0x{wanted.address + wanted.size:06x}",
            )
        return (wanted,)
    if wanted == _ALL:
        return (EraseRange("the whole flash", 0, capacity or 0),)
    if capacity is None:
        raise LayoutError(
            "the capacity of the flash is not known, so nothing tells where it is",
            found=session.flash.id.hex(),
        )
    from imgtool.engine.connecting import reader_of
    from imgtool.operations.inspect.device_settings import region_by_name

    found = region_by_name(wanted, reader_of(session, listener), capacity)
    return tuple(EraseRange(region.name or wanted, region.start, region.size) for region in found)


def _erase(
    wanted: str | EraseRange, regions: tuple[EraseRange, ...], session: Session, listener: Listener
) -> None:
    from imgtool.operations.flashing.transfer import erase as erase_region
    from imgtool.operations.flashing.transfer import erase_chip

    if wanted == _ALL:
        erase_chip(session, listener)
        return
    for region in regions:
        erase_region(session, region.address, region.size, listener)


def _report(regions: tuple[EraseRange, ...], seconds: float, session: Session, *, as_json: bool) -> None:
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.chips import erase_fields
        from imgtool.engine.documents import document

        print_document(document("erase", ok=True, results=[erase_fields(session, regions, seconds)]))
        return
    from imgtool.cli.show.progress import duration
    from imgtool.cli.show.text import Span, stdout

    screen = stdout()
    screen.table(
        [(f"0x{region.address:06x}", f"{region.size:,}", region.name) for region in regions],
        head=("address", "size", ""),
        right=(1,),
    )
    checked = "erased and verified" if session.flasher.digests else "erased, not verified"
    screen.line(Span(f"{checked}, in {duration(seconds)}", "bold green"))
