"""Boards that firmware is written to: what is known of each, what became of it, as words and as JSON.

Not the plan and not the writing (imgtool.operations.flashing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imgtool.engine.chips import chip_fields
from imgtool.engine.documents import (
    Document,
    document,
    error_fields,
    finding_fields,
    header_fields,
    warnings_of,
)
from imgtool.engine.hints import hint_for
from imgtool.engine.verdicts import DONE, NO, exit_code_of, may_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.device.session import Session
    from imgtool.errors import ImgtoolError
    from imgtool.operations.explain.log import Explanation
    from imgtool.operations.flashing.plan import FlashPlan
    from imgtool.operations.flashing.transfer import Transfer

__all__ = [
    "Board",
    "board_document",
    "code_of_boards",
    "is_good",
    "plan_document",
    "plan_warnings",
    "result_words",
]

SILENT_BOOT: Final = "the chip said nothing after the reset: whether the firmware starts is not known"

_NOTHING_DONE: Final[dict[str, Any]] = dict.fromkeys(
    (
        "stub",
        "baud",
        "plan",
        "written",
        "erased",
        "unchanged",
        "verified",
        "retries",
        "sha256",
        "seconds",
        "boot",
    )
)


@dataclass
class Board:
    """What is known of a board so far, and what was done to it.

    Attributes:
        port: Its port.
        session: The connection to it.
        plan: What is to be written.
        seconds: How long that will take, about.
        baud: The speed to work at.
        transfer: What was written.
        boot: How the firmware started.
        boot_note: Why that is not known.
        left: What a run that breaks off now leaves.
    """

    port: str
    session: Session | None = None
    plan: FlashPlan | None = None
    seconds: float = 0.0
    baud: int = 0
    transfer: Transfer | None = None
    boot: Explanation | None = None
    boot_note: str = ""
    left: str = "nothing was written"

    @property
    def touched(self) -> bool:
        """Whether something may have been written or erased."""
        return self.left != Board.left

    @property
    def boots(self) -> bool:
        """Whether what was written has an image that the ROM boots; else a boot says nothing about it."""
        return self.plan is not None and self.plan.header is not None

    @property
    def starts(self) -> bool:
        """Whether nothing says that the firmware does not start."""
        return not self.boots or may_start(self.boot)

    def look_at(self, log: bytes) -> None:
        """Take what the chip said after its reset, or note that it says nothing."""
        from imgtool.engine.boot_logs import explain  # noqa: PLC0415 - only a boot needs its rules

        if log.strip():
            self.boot = explain(log)
        else:
            self.boot_note = SILENT_BOOT


def is_good(board: Board, error: ImgtoolError | None) -> bool:
    """Whether a board is as it was asked for, as far as that is known."""
    return error is None and board.starts


def code_of_boards(results: Sequence[tuple[Board, ImgtoolError | None]]) -> int:
    """The exit code of ``flash``: the highest of all its boards."""
    return max(
        exit_code_of(error) if error is not None else DONE if board.starts else NO for board, error in results
    )


def result_words(board: Board, error: ImgtoolError | None) -> str:
    """What became of a board, in a few words."""
    if error is not None:
        return error.message
    if board.transfer is None:
        return "planned"
    if not board.starts and board.boot is not None:
        return f"does not start: {board.boot.verdict}"
    return "ok" if board.transfer.verified != "no" else "ok, not verified"


def plan_warnings(results: Sequence[tuple[Board, ImgtoolError | None]]) -> list[str]:
    """The warnings of all plans, each once."""
    plans = [board.plan for board, _ in results if board.plan is not None]
    return list(
        dict.fromkeys(f.message for plan in plans for f in plan.findings if str(f.severity) == "warning")
    )


def board_document(results: Sequence[tuple[Board, ImgtoolError | None]], note: str | None) -> Document:
    """The document about one board or several; ``note`` is one on the command line."""
    warnings = [note] if note else []
    warnings += plan_warnings(results) + [board.boot_note for board, _ in results if board.boot_note]
    return document(
        "flash",
        ok=all(is_good(board, error) for board, error in results),
        results=[_board_fields(board, error) for board, error in results],
        warnings=dict.fromkeys(warnings),
    )


def plan_document(plan: FlashPlan, note: str | None) -> Document:
    """The document of a plan that was made without a device."""
    fields = {
        "port": None,
        "chip": None,
        "flash": {"bytes": plan.target.flash_bytes},
        **_NOTHING_DONE,
        "plan": {**_plan_fields(plan), "seconds": None},
    }
    return document("flash", ok=True, results=[fields], warnings=warnings_of(plan.findings, note))


def _board_fields(board: Board, error: ImgtoolError | None) -> dict[str, Any]:
    session, done, boot = board.session, board.transfer, board.boot
    fields: dict[str, Any] = {"port": board.port, "chip": None, "flash": None}
    if session is not None:
        fields |= chip_fields(session)
    fields |= _NOTHING_DONE
    if board.plan is not None:
        fields["plan"] = {**_plan_fields(board.plan), "seconds": round(board.seconds, 3)}
    if session is not None and board.plan is not None:
        fields |= {"stub": session.flasher.name if error is None else None, "baud": board.baud}
    if done is not None:
        fields |= {
            "stub": done.stub,
            "baud": done.baud,
            "written": done.written,
            "erased": done.erased,
            "unchanged": done.unchanged,
            "verified": done.verified,
            "retries": done.retries,
            "sha256": done.sha256,
            "seconds": round(done.seconds, 3),
        }
    if boot is not None:
        fields["boot"] = {
            "verdict": str(boot.verdict),
            "ok": boot.ok,
            "sentence": boot.sentence,
            "cause": boot.cause,
        }
    if error is not None:
        fields["error"] = error_fields(error, hint_for(error))
    return fields


def _plan_fields(plan: FlashPlan) -> dict[str, Any]:
    main = plan.description
    return {
        "kind": None if main is None else str(main.kind),
        "firmware": None if main is None or main.firmware is None else main.firmware.name,
        "version": None if main is None or main.firmware is None else main.firmware.version,
        "header": None if plan.header is None else header_fields(plan.header),
        "flash_size": None if plan.flash is None else plan.flash.name,
        "layout": plan.rule or None,
        "whole": plan.whole,
        "erase_all": plan.erase_all,
        "writes": [{"name": p.name, "address": p.address, "size": len(p.data)} for p in plan.pieces],
        "kept": [{"name": k.name, "address": k.start, "size": k.size, "why": k.why} for k in plan.kept],
        "changes": list(plan.changes),
        "findings": [finding_fields(finding) for finding in plan.findings],
    }
