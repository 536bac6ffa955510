"""Files that are to be in a flash after a firmware was written: a user's own, those that are there, or both.

The file system that the firmware takes is laid over the flash in thought, and what the firmware mounts then
is asked of the rules (imgtool.operations.upgrade).  Nothing is written here, and what is read of the old file
system is for who writes to save first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.errors import LayoutError, LossError
from imgtool.formats import fill
from imgtool.formats.filesystems.spiffs import MAGIC_OFFSET
from imgtool.formats.filesystems.spiffs_edit import erase_counts
from imgtool.formats.filesystems.spiffs_make import SpiffsShape, magics
from imgtool.formats.filesystems.stored_files import NewFile
from imgtool.formats.reading import PartKind, Severity
from imgtool.operations.assemble.filesystem import made_for, named_for, title_of
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.files.reading import read_system
from imgtool.operations.upgrade.files import file_points, in_use
from imgtool.operations.upgrade.mount import mounted, probed
from imgtool.operations.upgrade.side import FoundFileSystem
from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, Loss, LossKind, Topic
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.layout.file_targets import FileTarget
    from imgtool.operations.files.reading import ReadFileSystem
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["FilesPlan", "FilesWay", "plan_files"]

_PAGE: Final = 0x100
_KEPT_FREE: Final = 2  # blocks, without which a device cannot collect garbage
_PROBED: Final = 3  # blocks
_SUPERBLOCKS: Final = 2  # blocks of a LittleFS that tell that it is one
_MOST_STALE: Final = 16  # places that a firmware looks at


class FilesWay(Enum):
    """How files come to be where a firmware looks for them."""

    STAY = "stay"
    """They are there, and nothing is written."""
    MAGICS = "magics"
    """They are there, and the magics of the blocks are renewed, two bytes each."""
    BUILT = "built"
    """A file system is made of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesPlan:
    """The files of a flash after a write.

    Attributes:
        way: How they come there.
        title: Whose file system it is.
        files: All of them, by the names that the firmware opens.
        start: Flash address of the file system.
        size: Its bytes.
        pieces: What is written for it, in address order.
        kept: The file system whose files are kept; None where none are.
        target: The file system that is made; None where one stays.
        point: What becomes of the files that were there.
    """

    way: FilesWay
    title: str
    files: tuple[NewFile, ...]
    start: int
    size: int
    pieces: tuple[Piece, ...] = ()
    kept: ReadFileSystem | None = None
    target: FileTarget | None = None
    point: AdvicePoint | None = None

    @property
    def count(self) -> str:
        """How many files there are, in words."""
        return f"{len(self.files):,} file{'' if len(self.files) == 1 else 's'}"

    @property
    def made(self) -> FoundFileSystem:
        """The file system as it will be found."""
        shape = None if self.target is None else self.target.shape
        if isinstance(shape, SpiffsShape):
            return FoundFileSystem(PartKind.SPIFFS, self.start, self.size, shape.block_size, shape.formula)
        return FoundFileSystem(PartKind.LITTLEFS, self.start, self.size)

    @property
    def bytes(self) -> int:
        """How many bytes the files have."""
        return sum(len(file.data) for file in self.files)


def plan_files(
    before: FlashSide,
    after: Callable[[Sequence[Piece]], FlashSide],
    target: Callable[[], FileTarget],
    *,
    new: Sequence[NewFile] | None,
    keep: bool,
    lose: bool,
) -> FilesPlan | None:
    """Plan the files of a flash; None where none are to be written, and none are there to be kept.

    Args:
        before: The flash as it is.
        after: The flash with the firmware, and with further pieces.
        target: The file system that the firmware takes; may raise that nothing tells.
        new: A user's own files; None for none.
        keep: Whether those that are there are kept; of two with one name the user's own goes before.
        lose: Whether damaged files may be lost.

    Raises:
        LossError: A file that is to be kept cannot be read.
        LayoutError: Nothing tells where the firmware looks for files.
        FileNameError: A name that the firmware cannot open.
        FileRoomError: They do not fit; it says by how many bytes.
    """
    kept = _kept(before, lose=lose) if keep else None
    if kept is None and new is None:
        return None
    if kept is not None and new is None:
        point = file_points(before, after(()), made=False)[0]
        if point.verdict is AdviceVerdict.KEPT and not _lost_magic(kept):
            return _staying(kept, point)
        # Of an update of an Arduino sketch nobody can tell more, and nothing of the files is written over.
        if point.verdict is AdviceVerdict.UNKNOWN and not after(()).nodemcu:
            return _staying(kept, point)
    plan = _placed(kept, new or (), target(), after)
    return replace(plan, point=None if kept is None else _point(plan, kept))


def _kept(before: FlashSide, *, lose: bool) -> ReadFileSystem | None:
    """The file system in use with its files; None where there are none.

    Raises:
        LossError: One of its files cannot be read.
    """
    found = in_use(before)
    if found is None:
        return None
    kept = read_system(found, before.read)
    broken = [each for each in kept.findings if each.severity is Severity.ERROR]
    if (broken or not kept.system.listed) and not lose:
        messages = [*broken, *kept.system.findings]
        reason = Phrase("not all of it can be read: ", messages[0].message)
        damaged = tuple(file.path for file in kept.system.files if not file.whole)
        loss = Loss(
            kind=LossKind.FILES,
            name=found.name,
            start=found.start,
            size=found.size,
            verdict=AdviceVerdict.LOST,
            reason=reason,
            files=damaged,
        )
        message = Phrase(f"the files in the {found.name} at {found.where} cannot all be kept: ", reason)
        raise LossError(message, losses=(loss,))
    return kept if any(file.whole for file in kept.system.files) else None


def _lost_magic(kept: ReadFileSystem) -> bool:
    """Whether the next mount would erase a block of it."""
    own = set(kept.system.findings)
    return any(each not in own for each in kept.findings)


def _whole(kept: ReadFileSystem) -> tuple[NewFile, ...]:
    return tuple(NewFile.of(file) for file in kept.system.files if file.whole)


def _staying(kept: ReadFileSystem, point: AdvicePoint) -> FilesPlan:
    return FilesPlan(
        way=FilesWay.STAY,
        title=kept.found.name,
        files=_whole(kept),
        start=kept.found.start,
        size=kept.found.size,
        kept=kept,
        point=point,
    )


def _point(plan: FilesPlan, kept: ReadFileSystem) -> AdvicePoint:
    count = len(_whole(kept))
    where = f"0x{plan.start:06x} ({plan.size:,} bytes)"
    if plan.way is FilesWay.MAGICS:
        files = f"{count:,} files stay" if count != 1 else "1 file stays"
        reason = f"{files} in the SPIFFS at {where}, whose magics are renewed for {plan.title}"
    else:
        was = f"the {kept.found.name} at {kept.found.where}"
        files = f"{count:,} files of {was} are" if count != 1 else f"1 file of {was} is"
        reason = f"{files} carried into that of {plan.title}, at {where}"
    return AdvicePoint(Topic.FILES, AdviceVerdict.KEPT, reason)


# What is written.


def _placed(
    kept: ReadFileSystem | None,
    new: Sequence[NewFile],
    target: FileTarget,
    after: Callable[[Sequence[Piece]], FlashSide],
) -> FilesPlan:
    own = named_for(target.names, new)
    others = () if kept is None else named_for(target.names, _whole(kept))
    going = {file.name for file in own}
    files = tuple(sorted([*own, *(file for file in others if file.name not in going)]))
    start = target.start
    if start is None:
        raise LayoutError(f"nothing tells where {target.title} looks for files")
    pieces = None if kept is None or new else _renewed(kept, target, after(()))
    way = FilesWay.BUILT if pieces is None else FilesWay.MAGICS
    if pieces is None:
        counts = () if kept is None else _erases(kept, target)
        pieces = (Piece(start, made_for(target, files, erases=counts), title_of(files)),)
        pieces = pieces if kept is None else _without_remnants(pieces, kept, after(()))
    pieces = _found_first(pieces, target, after)
    return FilesPlan(
        way=way,
        title=target.title,
        files=files,
        start=start,
        size=target.shape.size,
        pieces=pieces,
        kept=kept,
        target=target,
    )


def _without_remnants(pieces: tuple[Piece, ...], kept: ReadFileSystem, after: FlashSide) -> tuple[Piece, ...]:
    """The pieces, with what else is left of the old file system made unrecognisable.

    Its files are in the new one.  A later firmware, or whoever reads a dump, would take the rest for a file
    system: each block of a SPIFFS looks like the first of a shorter one.
    """
    found = kept.found
    step = found.block or kept.system.block_size
    count = found.size // step if found.kind is PartKind.SPIFFS else _SUPERBLOCKS
    blank = bytes([fill.ERASED]) * SECTOR
    erased = [
        Piece(at, blank, f"what is left of the {found.name} at 0x{found.start:06x}")
        for at in range(found.start, found.start + step * count, step)
        if kept.image[at - found.start :][:SECTOR].strip(b"\xff")
        and not _covers(pieces, at)
        and not after.hit(at, at + SECTOR)
    ]
    return tuple(sorted([*pieces, *erased], key=lambda piece: piece.address))


def _erases(kept: ReadFileSystem, target: FileTarget) -> tuple[int, ...]:
    """How often the blocks were erased, where the new ones are the same."""
    found, shape = kept.found, target.shape
    if found.kind is not PartKind.SPIFFS or not isinstance(shape, SpiffsShape):
        return ()
    if (found.start, found.block) != (target.start, shape.block_size):
        return ()
    return erase_counts(kept.image, _shape_of(kept))[: shape.blocks]


def _shape_of(kept: ReadFileSystem) -> SpiffsShape:
    found = kept.found
    return SpiffsShape(
        block_size=found.block,
        blocks=found.size // found.block,
        formula=found.formula,
        layout=kept.system.layout,
    )


def _renewed(kept: ReadFileSystem, target: FileTarget, after: FlashSide) -> tuple[Piece, ...] | None:
    """The sectors with magics, renewed, and blocks that are added; None where that is not enough.

    A change of formula or length needs no file written anew: run with the file system's own sources, see
    docs/formats/spiffs.md.
    """
    found, shape = kept.found, target.shape
    if found.kind is not PartKind.SPIFFS or not found.block or not isinstance(shape, SpiffsShape):
        return None
    old = _shape_of(kept)
    same = (found.start, old.block_size, old.layout) == (target.start, shape.block_size, shape.layout)
    files = _whole(kept)
    names = [file.name for file in named_for(target.names, files)] == [file.name for file in files]
    fits = old.blocks <= shape.blocks and _free_blocks(kept.image, old) + shape.blocks - old.blocks
    if not same or not names or not fits or fits < _KEPT_FREE or "none" in (old.formula, shape.formula):
        return None
    if kept.findings or after.hit(found.start, found.end):
        return None
    pieces: list[Piece] = []
    for number, magic in enumerate(magics(shape)):
        at = number * shape.block_size
        block = bytearray(kept.image[at : at + SECTOR])
        if number >= old.blocks:
            block = bytearray([fill.ERASED]) * shape.block_size
            block[MAGIC_OFFSET + 2 : MAGIC_OFFSET + 4] = b"\0\0"
        block[MAGIC_OFFSET : MAGIC_OFFSET + 2] = magic
        pieces.append(Piece(found.start + at, bytes(block), "magics of the file system"))
    return tuple(pieces)


def _free_blocks(image: bytes, shape: SpiffsShape) -> int:
    starts = range(0, shape.size, shape.block_size)
    return sum(fill.is_fill(image, start, start + 2 * shape.pages) for start in starts)


def _found_first(
    pieces: tuple[Piece, ...], target: FileTarget, after: Callable[[Sequence[Piece]], FlashSide]
) -> tuple[Piece, ...]:
    """The pieces, with the magics erased of all file systems that the firmware would find before this one.

    Raises:
        LayoutError: The firmware does not mount it.
    """
    shape = target.shape
    if not isinstance(shape, SpiffsShape) or shape.formula not in ("linear", "old"):
        return pieces
    for _ in range(_MOST_STALE):
        side = after(pieces)
        found = probed(side, shape.formula)
        if found is None or found.start == target.start:
            break
        starts = (found.start + number * found.block for number in range(_PROBED))
        erased = bytes([fill.ERASED]) * SECTOR
        name = f"the SPIFFS at 0x{found.start:06x}, which the firmware would find first"
        blank = [Piece(at, erased, name) for at in starts if not _covers(pieces, at)]
        if not blank:
            break
        pieces = tuple(sorted([*pieces, *blank], key=lambda piece: piece.address))
    found = mounted(after(pieces), shape.formula)
    if found is None or found.start != target.start:
        raise LayoutError(
            f"{target.title} would not mount the file system that is made for it",
            offset=target.start,
            expected=f"{in_bytes(shape.size)} at a place where it looks",
            found="none" if found is None else f"the one at {found.where}",
        )
    return pieces


def _covers(pieces: Sequence[Piece], address: int) -> bool:
    return any(piece.address <= address < piece.end for piece in pieces)
