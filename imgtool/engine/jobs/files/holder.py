"""What holds files for the jobs of ``files``: an image, a dump or a board, and the file systems in it.

Not which file system is meant (imgtool.operations.files.find).
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.device.events import Event
from imgtool.engine.connecting import DeviceReader, connected
from imgtool.errors import ImgtoolError, LayoutError, UsageError
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import PartKind, Severity
from imgtool.operations.assemble.wrong_files import refuse_without_parts
from imgtool.operations.extract.parts import extract as take_apart
from imgtool.operations.files.find import held_in, held_on
from imgtool.operations.inspect.describe import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.engine.inputs import InputFile
    from imgtool.formats.reading import Finding
    from imgtool.operations.files.find import HeldFiles
    from imgtool.operations.files.reading import ReadFileSystem
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.upgrade.side import FoundFileSystem

__all__ = ["Holder", "holder", "is_holder", "part_names", "read_systems", "session_of"]

_FILE_SYSTEMS: Final = (PartKind.SPIFFS, PartKind.LITTLEFS)
_WRAPPED: Final = "wrapped"


class Holder(NamedTuple):
    """What holds files.

    Attributes:
        name: Its path, or the name of its port.
        board: Whether it is a board.
        held: Its file systems.
        findings: What is to be said of it.
    """

    name: str
    board: bool
    held: HeldFiles
    findings: tuple[Finding, ...] = ()


def is_holder(data: bytes) -> bool:
    """Whether a file is one that may hold a file system: an image, a dump, a firmware, or such a file packed.

    By what it is, not by its name: a script, a web page or a picture is none.

    Args:
        data: The whole file.
    """
    return _may_hold(describe(data))


def _may_hold(description: Description) -> bool:
    if description.content is not None:
        return _may_hold(description.content)
    row = KINDS[description.kind]
    return row.at_start or any(part.kind in _FILE_SYSTEMS for part in description.parts)


@contextmanager
def holder(
    image: InputFile | None,
    at: int | None,
    wire: Wire | None,
    connect: ConnectOptions | None,
    on_event: Listener,
) -> Iterator[Holder]:
    """An image or a board with its file systems, for reading.

    Args:
        image: The image; None for a board.
        at: Where a file system begins that may be at a place of its own; None for the usual ones.
        wire: The board's port.
        connect: How to connect to it.
        on_event: Told what happens.

    Raises:
        UsageError: There is neither image nor board, or both.
        FormatError: The image is empty, larger than any flash, or holds no file system.
        NoFilesError: The board has none that is found.
        LayoutError: The capacity of its flash is not known.
    """
    if (image is None) == (wire is None):
        found = "neither" if image is None else "both"
        raise UsageError("files are in an image or on a board", expected="one of them", found=found)
    if wire is not None:
        with connected(wire, connect, on_event) as session:
            yield session_of(session, at, on_event)
    elif image is not None:
        on_event(Event("files", 0, 1, image.name))
        yield _of_image(image)
        on_event(Event("files", 1, 1, image.name))


def session_of(session: Session, at: int | None, on_event: Listener) -> Holder:
    """A board that is connected, with its file systems.

    Raises:
        NoFilesError: It has none that is found.
        LayoutError: The capacity of its flash is not known.
    """
    size = session.flash.bytes
    if size is None:
        raise LayoutError(
            "the capacity of the flash is not known, so nothing tells where its files are",
            source=session.wire.name,
            expected="a flash ID that tells it",
            found=session.flash.id.hex(),
        )
    return Holder(session.wire.name, board=True, held=held_on(DeviceReader(session, on_event), size, at))


def _of_image(image: InputFile) -> Holder:
    try:
        taken = take_apart(image.data, PurePath(image.name).name)
        refuse_without_parts(taken.description)
        held = held_in(taken.data, taken.description)
    except ImgtoolError as error:
        raise error.with_source(image.name) from None
    inside = tuple(finding for finding in taken.findings if finding.code == _WRAPPED)
    errors = (each for each in taken.description.findings if each.severity is Severity.ERROR)
    about = tuple(finding for finding in errors if _is_about(finding, held))
    return Holder(image.name, board=False, held=held, findings=(*inside, *about))


def _is_about(finding: Finding, held: HeldFiles) -> bool:
    """Whether an error of a whole dump is about one of its file systems, as that it is cut."""
    at = finding.offset
    return at is not None and any(found.start <= at <= found.end for found in held.found)


def read_systems(holder: Holder, at: int | None) -> tuple[ReadFileSystem, ...]:
    """All file systems, or the one that begins at an address, with their files.

    Raises:
        UsageError: None begins there.
    """
    found = holder.held.found if at is None else (holder.held.chosen(at),)
    return tuple(holder.held.read(each) for each in found)


def part_names(found: tuple[FoundFileSystem, ...]) -> tuple[str, ...]:
    """What to call file systems: by their kind, with a number where there are several."""
    names = []
    for number, each in enumerate(found):
        count = 1 + sum(other.kind is each.kind for other in found[:number])
        names.append(str(each.kind) if count == 1 else f"{each.kind}-{count}")
    return tuple(names)
