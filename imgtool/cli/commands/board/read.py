"""``imgtool read``: the content of the flash, or a part of it, to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortOption,
    ResetOption,
    StubOption,
)
from imgtool.errors import UsageError
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from imgtool.device.session import Session

__all__ = ["read"]

_WORDS = (0, 1, 2, 3)
_ALL = "all"


def read(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ADDR SIZE]", help="What to read; default the whole flash.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write.", show_default=False),
    ] = None,
    backup: Annotated[
        bool, typer.Option("--backup", help="Name the file by MAC and date; -o is then a folder.")
    ] = False,
    port: PortOption = None,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Read the flash, or a part of it, into a file.

    Example: imgtool read --backup
    """
    from imgtool.cli.input.connection import connect_options, port_name
    from imgtool.cli.input.files import write_file
    from imgtool.cli.run.connecting import connected
    from imgtool.cli.show.progress import Progress
    from imgtool.operations.flashing.transfer import read_flash

    region, last = _region(words or [])
    target = _target(output or last, backup=backup)
    options = connect_options(baud, stub, reset, no_stub=no_stub)
    name = port_name(port)
    with Progress([name], events=events, silent=json) as progress:
        listener = progress.listener(name)
        with connected(name, options, progress) as session:
            address, size = _bounds(region, session)
            path = target / _backup_name(session) if backup else target
            start = session.wire.clock.monotonic()
            data = read_flash(session, address, size, listener)
            done = Done(path, address, data, session.wire.clock.monotonic() - start)
            write_file(path, data)
            progress.clear()
            _report(done, session, as_json=json)


class Done(NamedTuple):
    """What was read: where to, from where, the bytes, and in which time."""

    path: Path
    address: int
    data: bytes
    seconds: float


def _region(words: list[str]) -> tuple[tuple[int, int | None] | None, Path | None]:
    """Address and size, both None for all, and a file that stands behind them as esptool has it."""
    from imgtool.cli.input.options import number

    if len(words) not in _WORDS:
        raise UsageError("not a region", expected="ADDR SIZE, or all", found=Name(" ".join(words)))
    if not words or [word.lower() for word in words] == [_ALL]:
        return None, None
    if len(words) == 1:
        raise UsageError("not a region", expected="ADDR SIZE, or all", found=words[0])
    address = number(words[0], "address")
    size = None if words[1].lower() == _ALL else number(words[1], "size")
    if size == 0:
        raise UsageError("nothing is to be read", expected="a size", found=words[1])
    return (address, size), Path(words[2]) if len(words) > 2 else None  # noqa: PLR2004 - the third word


def _target(output: Path | None, *, backup: bool) -> Path:
    """Where to write; looked at before the flash is read, which may take minutes."""
    if output is None and not backup:
        raise UsageError("no file is named", expected="-o FILE, or --backup", found="neither")
    target = output or Path()
    folder = target if backup else target.parent
    if not folder.is_dir():
        raise UsageError(
            Phrase("there is no folder ", folder), expected="a folder that is there", found="none"
        )
    if not backup and target.is_dir():
        raise UsageError(Phrase(target, " is a folder"), expected="a file, or --backup too", found="a folder")
    if not os.access(folder, os.W_OK):
        raise UsageError(Phrase("the folder ", folder, " cannot be written to"))
    return target


def _bounds(region: tuple[int, int | None] | None, session: Session) -> tuple[int, int]:
    from imgtool.errors import LayoutError

    capacity = session.flash.bytes
    address, size = region or (0, None)
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


def _backup_name(session: Session) -> str:
    from datetime import datetime

    # The time as well: of two backups on one day both are kept.
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return f"imgtool-{session.chip.mac_bytes.hex()}-{moment}.bin"


def _report(done: Done, session: Session, *, as_json: bool) -> None:
    from imgtool.engine.chips import read_fields

    fields = read_fields(session, str(done.path), done.address, done.data, done.seconds)
    if as_json:
        from imgtool.cli.show.document import print_document
        from imgtool.engine.documents import document

        print_document(document("read", ok=True, results=[fields]))
        return
    from imgtool.cli.show.progress import duration
    from imgtool.cli.show.render import show_lines

    took = duration(done.seconds)
    show_lines(
        [
            Phrase(done.path, f": {len(done.data):,} bytes from 0x{done.address:06x} on, in {took}"),
            f"sha256 {fields['sha256']}",
        ]
    )
