"""The file system in a flash plan: of a user's own files, and of those that the device has.

Which one the firmware takes is imgtool.layout.file_targets, and how files come into it
imgtool.operations.files; here that is made a part of the plan.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_PLACE
from imgtool.errors import FilePlaceError, ImgtoolError, LayoutError, NoLayoutError
from imgtool.formats import fill
from imgtool.formats.containers.lua_bytecode import bytecode_of
from imgtool.formats.reading import Finding, Severity
from imgtool.layout.file_targets import target_for
from imgtool.operations.assemble.extras import check_layout_known
from imgtool.operations.files.carry import FilesWay, plan_files
from imgtool.operations.flashing.losses import seen_on
from imgtool.operations.flashing.sectors import over
from imgtool.operations.flashing.waivers import LOSE_ALL
from imgtool.operations.upgrade.files import in_use, magics_taken
from imgtool.operations.upgrade.look import side_after, side_before
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.values import AdviceVerdict, LossKind
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.reading import Firmware
    from imgtool.layout.file_targets import FileTarget
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.files.carry import FilesPlan
    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.flashing.draft import Device, Draft, Place, PlanRequest
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["add_files"]

_STEP: Final = 0x1_0000
_SAMPLE: Final = 16
_SHOWN: Final = 8


def add_files(
    draft: Draft, content: FlashContent, request: PlanRequest, place: Place | None, device: Device
) -> FilesPlan | None:
    """Add the file system that the firmware takes to the plan; None where none is asked for or needed.

    Args:
        draft: The plan; gets the pieces, and what changes.
        content: What is written.
        request: What is asked for.
        place: Where things stand under the firmware; None where that is not known.
        device: The device.

    Raises:
        LossError: A file that is to be kept cannot be read.
        LayoutError: No firmware is written, or nothing tells where it looks for files.
        FileNameError: A name that the firmware cannot open.
        FileRoomError: They do not fit; it says by how many bytes.
    """
    if not request.wants_files:
        return None
    if content.main is None:
        if request.files is None:
            return None  # nothing moves: what is written over a file system is judged as ever
        raise LayoutError(
            "no firmware is written, so nothing tells where it looks for files",
            expected="the firmware beside the files",
        )
    before = _before(content, device)
    if request.keep_files and device.read is None:
        message = "no device was looked at: which files are kept, and whether they fit, is not known"
        draft.findings.append(Finding(Severity.WARNING, "files-unseen", message))
        if request.files is None:
            return None
    elif request.keep_files:
        _check_seen(before)
    start = before if not device.erased else replace(before, read=lambda _, size: b"\xff" * size)

    def after(pieces: Sequence[Piece]) -> FlashSide:
        return side_after(start, over(draft.pieces, pieces), content.main, content.start)

    def target() -> FileTarget:
        return _target(draft, content, place, magics_taken(before, after(()), in_use(before)))

    keep = request.keep_files and device.read is not None
    given_up = bool({LOSE_ALL, str(LossKind.FILES)} & request.lose)
    plan = plan_files(before, after, target, new=request.files, keep=keep, lose=given_up)
    if plan is None:
        message = "no file is on the device that could be kept: its firmware makes an empty file system"
        draft.findings.append(Finding(Severity.WARNING, "no-files", message))
        return None
    draft.pieces = over(draft.pieces, plan.pieces)
    draft.changes.append(_words(plan))
    draft.findings += [*_unsure(plan), *_compiled(plan, content.main.firmware)]
    return plan


def _before(content: FlashContent, device: Device) -> FlashSide:
    """The flash as it is; erased where nobody looks."""
    seen = seen_on(device, content)
    if seen is not None:
        return seen
    size = device.target.flash_bytes or 0
    return side_before(OldFlash.of_dump(b"", size, "device"))


def _check_seen(before: FlashSide) -> None:
    """Refuse to keep files of a device that does not tell whether it holds any.

    Raises:
        LayoutError: Its firmware is gone, and no file system is found.
    """
    if before.header is not None or in_use(before) is not None:
        return
    starts = range(_STEP, before.capacity, _STEP)
    if all(fill.is_fill(before.read(at, _SAMPLE), 0, _SAMPLE) for at in starts):
        return
    raise LayoutError(
        "no firmware is on the device, as after a write that was broken off, and no file system is found",
        expected="a board whose files can be read, or a copy of them that was saved",
    )


def _target(draft: Draft, content: FlashContent, place: Place | None, formula: str | None) -> FileTarget:
    main = content.main
    if place is None or main is None:
        raise _no_place(content)
    boot = next((piece.data[:IROM_PLACE] for piece in draft.pieces if piece.address == 0), None)
    return target_for(place.layout, main.firmware, place.irom_end, boot, formula=formula)


def _no_place(content: FlashContent) -> ImgtoolError:
    """Why nothing tells where a firmware looks for files: it is a half, or its layout is not known."""
    main = content.main
    if main is not None:
        try:
            check_layout_known(main, content.name)
        except NoLayoutError:
            pass
        except ImgtoolError as error:
            return error
    name = "this firmware" if main is None or main.firmware is None else main.firmware.name
    return FilePlaceError(
        f"nothing in {name} tells where it looks for files, how much, and of which kind",
        source=content.name or None,
        expected="NodeMCU of a release that is known, or the file system of another firmware by name",
    )


def _words(plan: FilesPlan) -> str | Phrase:
    """What is to be said of it among the changes."""
    count = plan.count
    where = f"0x{plan.start:06x} ({in_bytes(plan.size)})"
    if plan.way is FilesWay.STAY:
        return f"{count} stay where they are, in the {plan.title} at {where}"
    if plan.way is FilesWay.MAGICS:
        return f"{count} stay in the SPIFFS at {where}: only the magics of its blocks are renewed"
    return f"a file system with {count} ({in_bytes(plan.bytes)}) is made for {plan.title} at {where}"


def _unsure(plan: FilesPlan) -> list[Finding]:
    """That nothing tells whether the firmware looks for the files that stay."""
    if plan.point is None or plan.point.verdict is not AdviceVerdict.UNKNOWN:
        return []
    return [Finding(Severity.WARNING, "files-unknown", plan.point.reason, plan.start)]


def _compiled(plan: FilesPlan, firmware: Firmware | None) -> list[Finding]:
    """That files were compiled for another Lua, or for other numbers, than the firmware has."""
    if firmware is None or firmware.lua is None:
        return []
    lua = ".".join(firmware.lua.split(".")[:2])
    numbers = firmware.details.get("build type") or firmware.details.get("Build type") or ""
    wrong: list[bytes] = []
    for file in plan.files:
        code = bytecode_of(file.data)
        other = code is not None and code.number_type and numbers and code.number_type != numbers
        if code is not None and (code.lua != lua or other):
            wrong.append(file.name)
    if not wrong:
        return []
    names = [Name(name.decode("utf-8", "backslashreplace")) for name in wrong[:_SHOWN]]
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    message = Phrase(
        f"the firmware has Lua {lua}{f' with {numbers} numbers' if numbers else ''}, and cannot run what was "
        "compiled for another one: compile again ",
        Phrase.joined(", ", names),
        more,
    )
    return [Finding(Severity.WARNING, "lua-compiled", message)]
