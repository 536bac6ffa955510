"""A write rehearsed: the board's flash with the plan laid over it, booted on the virtual board before it is.

What the firmware then says and does is judged as any boot is (try_boot.py); here that is held against the
plan.  Nothing is written to the board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from imgtool.device.events import Event
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.virtual.try_boot import TryRequest, try_boot
from imgtool.errors import RehearsalError
from imgtool.operations.flashing.transfer import read_flash
from imgtool.phrase import Name, Phrase
from imgtool.virtual.board.boot_rom import BootRom

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.session import Session
    from imgtool.engine.jobs.virtual.try_boot import TryResult
    from imgtool.operations.files.carry import FilesPlan
    from imgtool.operations.flashing.plan import FlashPlan

__all__ = ["rehearsal_fields", "rehearsal_words", "rehearse"]

_STAGE: Final = "rehearsal"
_ERASED: Final = 0xFF
_SHOWN: Final = 8
_SECONDS: Final = 300.0  # of the chip; a firmware that formats 16 MB is silent for minutes


def rehearse(session: Session, plan: FlashPlan, rom: InputFile, on_event: Listener) -> TryResult:
    """Boot what the plan would make of the board's flash.

    Args:
        session: The board.
        plan: The plan.
        rom: A dump of the boot ROM.
        on_event: Told what happens.

    Raises:
        RehearsalError: The firmware does not start, or does not find a file that should be there.
        FormatError: The ROM is no dump of it, or nothing could boot.
        LayoutError: The capacity of the flash is not known.
    """
    size = plan.target.flash_bytes
    if size is None:
        raise RehearsalError(
            "the capacity of the flash is not known, so nothing can be rehearsed",
            expected="a flash ID that tells it",
            found=plan.target.flash_id.hex(),
        )
    BootRom.parse(rom.data, source=rom.name)  # reading the flash takes its time
    on_event(Event("note", message="the write is rehearsed: the flash is read, and booted in memory"))
    flash = bytearray([_ERASED]) * size
    if not plan.erase_all:
        flash[:] = read_flash(session, 0, size, on_event, stage=_STAGE)
    for piece in plan.pieces:
        flash[piece.address : piece.address + len(piece.data)] = piece.data
    request = TryRequest(
        files=(InputFile("the flash after the write", bytes(flash), 0),),
        rom=rom.data,
        rom_name=rom.name,
        seconds=_SECONDS,
    )
    result = try_boot(request, on_event)
    _check(result, plan.files)
    return result


def _check(result: TryResult, files: FilesPlan | None) -> None:
    """Refuse a write after which the firmware does not start, or does not find its files."""
    if not result.ok:
        raise RehearsalError(
            Phrase("in the rehearsal ", result.words.verdict),
            line=_last_line(result.log),
            found=result.explanation.cause,
        )
    if files is None:
        return
    there = {
        file.name: file.data
        for system in result.file_systems
        if system.offset == files.start
        for file in system.files
    }
    gone = [file.name for file in files.files if there.get(file.name) != file.data]
    if gone:
        names = [Name(name.decode("utf-8", "backslashreplace")) for name in gone[:_SHOWN]]
        raise RehearsalError(
            Phrase(
                f"in the rehearsal {len(gone)} of {len(files.files)} files are gone: ",
                Phrase.joined(", ", names),
            ),
            line=_last_line(result.log),
        )


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.split("\n") if line.strip()]
    return lines[-1] if lines else ""


def rehearsal_words(result: TryResult) -> str | Phrase:
    """What the firmware did, in a sentence."""
    names = [Name(file.path) for system in result.file_systems for file in system.files]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    files = (
        Phrase("; it has the files ", Phrase.joined(", ", names[:_SHOWN]), more)
        if names
        else "; it has no files"
    )
    return Phrase("rehearsed: ", result.explanation.sentence.rstrip("."), files)


def rehearsal_fields(result: TryResult) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "verdict": str(result.explanation.verdict),
        "sentence": result.explanation.sentence,
        "seconds": round(result.run.seconds, 3),
        "boots": result.run.boots,
        "files": [
            {"address": system.offset, "path": file.path, "size": file.size}
            for system in result.file_systems
            for file in system.files
        ],
        "log": result.log,
    }
