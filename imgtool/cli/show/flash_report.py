"""What ``imgtool flash`` says: the plan, the result, a table of boards, their JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from imgtool.cli.run.connecting import chip_fields, flash_words
from imgtool.cli.show.cures import show_cure
from imgtool.cli.show.documents import document, finding_fields, warnings_of
from imgtool.cli.show.progress import duration
from imgtool.cli.show.text import Span, stdout
from imgtool.phrase import Name, Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.commands.board.flash import Board
    from imgtool.cli.show.text import Line, Screen
    from imgtool.errors import ImgtoolError
    from imgtool.operations.flashing.plan import FlashPlan

__all__ = [
    "board_document",
    "plan_document",
    "result_words",
    "show_offline",
    "show_plan",
    "show_result",
    "show_table",
]


# Ends of the codes by which imgtool.operations.flashing.upgrade_notes says that something is lost.
_LOSSES: Final = ("-formatted", "-overwritten", "-lost")


# For people.


def show_plan(board: Board, *, more: bool) -> None:
    """Print what is about to be done to a board; ``more`` says whether a result comes below it."""
    plan, session = board.plan, board.session
    if plan is None or session is None:
        return
    chip = session.chip
    facts = [
        ("chip", f"{chip.model}, MAC {chip.mac}, crystal {chip.crystal_mhz} MHz"),
        ("flash", flash_words(session)),
        *_plan_facts(plan),
        ("stub", _stub_words(board)),
        ("time", f"about {duration(board.seconds)}, if nothing of it is there already"),
    ]
    _show_plan(plan, facts)
    if more:
        stdout().line()


def show_offline(plan: FlashPlan, size: str, note: str | None) -> None:
    """Print a plan that was made without a device."""
    _show_plan(plan, [("flash", f"{size}, as asked; no device was looked at"), *_plan_facts(plan)])
    if note:
        stdout().paragraph(note, lead=[Span("  note  ", "dim")])


def _stub_words(board: Board) -> str:
    session = board.session
    if session is None:
        return ""
    if session.flasher.digests:
        return f"{session.flasher.name}, at {session.baud:,} baud"
    return f"none: the ROM loader, at {session.baud:,} baud"


def _plan_facts(plan: FlashPlan) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    header = plan.header
    if header is not None:
        words = (header.mode or "mode ?", header.freq or "frequency ?", header.size or "size ?")
        facts.append(("header", ", ".join(words)))
    if plan.rule:
        facts.append(("layout", plan.rule))
    return facts


def _show_plan(plan: FlashPlan, facts: Sequence[tuple[str, str]]) -> None:
    from imgtool.cli.show.render import image_words, show_findings

    screen = stdout()
    screen.paragraph(
        _title(plan) if plan.description is None else image_words(plan.description), style="bold"
    )
    screen.table([(Span(name, "dim"), value) for name, value in facts])
    screen.line()
    _show_rows(screen, plan)
    if plan.changes:
        screen.line()
    for change in plan.changes:
        screen.paragraph(change, lead=[Span("  change  ", "bold")])
    if plan.findings:
        screen.line()
        show_findings(plan.findings)
    if any(finding.code.endswith(_LOSSES) for finding in plan.findings):
        text = "imgtool advise says more of this upgrade, and writes nothing: Lua, modules, changes of API"
        screen.paragraph(text, lead=[Span("  note       ", "dim")])


def _title(plan: FlashPlan) -> str:
    return Phrase.joined(", ", dict.fromkeys(piece.name for piece in plan.pieces)) or "nothing to write"


def _show_rows(screen: Screen, plan: FlashPlan) -> None:
    from imgtool.operations.flashing.draft import FORMATTED, NOT_WRITTEN

    rows: list[tuple[int, tuple[Line, ...]]] = []
    if plan.erase_all:
        size = plan.target.flash_bytes
        rows.append(
            (-1, ("0x000000", f"{size:,}" if size else "all", Span("erase", "yellow"), "the whole flash"))
        )
    for piece in plan.pieces:
        verb = Span("write", "cyan") if piece.data.strip(b"\xff") else Span("erase", "yellow")
        rows.append((piece.address, (f"0x{piece.address:06x}", f"{len(piece.data):,}", verb, piece.name)))
    for kept in plan.kept:
        if any(piece.address == kept.start for piece in plan.pieces):
            continue  # what is kept by being written; the changes tell
        what = kept.name if kept.why in ("", NOT_WRITTEN, FORMATTED) else f"{kept.name}: {kept.why}"
        verb = Span("format", "yellow") if kept.why == FORMATTED else Span("keep", "green")
        rows.append((kept.start, (f"0x{kept.start:06x}", f"{kept.size:,}", verb, what)))
    if rows:
        ordered = [row for _, row in sorted(rows, key=lambda item: item[0])]
        screen.table(ordered, head=("address", "size", "", "what"), right=(1,))


def show_result(board: Board, verify: str) -> None:
    """Print what was done to a board, and how its firmware starts."""
    done = board.transfer
    if done is None:
        return
    screen = stdout()
    size = in_bytes(done.written + done.erased)
    took = duration(done.seconds)
    right = f"; {in_bytes(done.unchanged)} were right already" if done.unchanged else ""
    if not done.written and not done.erased:
        checked = "and verified " if done.verified != "no" else ""
        words, style = f"nothing to write: all is right already {checked}({took})", "bold green"
        if done.verified != "no":
            words = f"nothing to write: {in_bytes(done.unchanged)} are right already, verified in {took}"
    elif done.verified != "no":
        words, style = f"written and verified: {size} in {took}{right}", "bold green"
    else:
        why = (
            "as --verify none asks"
            if verify == "none"
            else "the ROM loader cannot digest; --verify readback reads it back"
        )
        words, style = f"written, not verified: {size} in {took}{right} ({why})", "bold yellow"
    screen.paragraph(words, style=style)
    if done.retries:
        steps = f"{done.retries} step{'s' if done.retries > 1 else ''}"
        screen.paragraph(f"{steps} had to be done again", lead=[Span("  note  ", "dim")])
    _show_boot(screen, board)


def _show_boot(screen: Screen, board: Board) -> None:
    boot = board.boot
    if boot is None:
        if board.boot_note:
            screen.paragraph(board.boot_note, lead=[Span("  note  ", "dim")])
        return
    style = "green" if boot.ok else "bold yellow" if board.starts else "bold red"
    screen.paragraph(boot.sentence, lead=[Span("boot: ", "bold")], style=style)
    if not board.boots or str(boot.verdict) == "runs":
        return
    screen.paragraph(boot.cause)
    for number, cure in enumerate(boot.cures, 1):
        show_cure(screen, number, cure)


def result_words(board: Board, error: ImgtoolError | None) -> str:
    """What became of a board, in a few words."""
    if error is not None:
        return error.message
    if board.transfer is None:
        return "planned"
    if not board.starts and board.boot is not None:
        return f"does not start: {board.boot.verdict}"
    return "ok" if board.transfer.verified != "no" else "ok, not verified"


def show_table(results: Sequence[tuple[Board, ImgtoolError | None]], *, dry_run: bool) -> None:
    """Print what became of several boards: a row each, then their errors, then a line that sums up."""
    from imgtool.cli.app import hint_for

    screen = stdout()
    rows: list[tuple[Line, ...]] = []
    for board, error in results:
        good = error is None and board.starts
        done, session = board.transfer, board.session
        time = "" if done is None else duration(done.seconds)
        size = "" if done is None else f"{done.written:,}"
        if dry_run and board.plan is not None:
            size = f"{board.plan.bytes:,}"
        rows.append(
            (
                Name(board.port),
                session.chip.mac if session else "",
                size,
                time,
                Span(_word(board, error), "green" if good else "bold red"),
            )
        )
    screen.table(rows, head=("port", "MAC", "bytes", "time", "result"), right=(2, 3))
    for finding in _said(results):
        screen.paragraph(finding, lead=[Span("  note  ", "dim")])
    hints: set[str] = set()
    for board, error in results:
        if error is not None:
            words = (
                error.phrase if error.source == board.port else Phrase(Name(board.port), ": ", error.phrase)
            )
            screen.paragraph(words, lead=[Span("  error  ", "bold red")])
            hint = hint_for(error)
            if hint not in hints:  # eight silent boards have one cure
                screen.paragraph(hint, lead=[Span("  hint   ", "bold")])
            hints.add(hint)
        elif not board.starts and board.boot is not None:
            words = Phrase(Name(board.port), ": ", board.boot.sentence)
            screen.paragraph(words, lead=[Span("  error  ", "bold red")])
    count = sum(error is None and board.starts for board, error in results)
    screen.line()
    screen.line(f"{len(results)} boards: {count} good, {len(results) - count} failed")


def _word(board: Board, error: ImgtoolError | None) -> str:
    return "failed" if error is not None else result_words(board, None)


def _said(results: Sequence[tuple[Board, ImgtoolError | None]]) -> list[str]:
    """The warnings of all plans, each once."""
    plans = [board.plan for board, _ in results if board.plan is not None]
    return list(
        dict.fromkeys(f.message for plan in plans for f in plan.findings if str(f.severity) == "warning")
    )


# For programs.


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


def board_document(results: Sequence[tuple[Board, ImgtoolError | None]], note: str | None) -> str:
    """The document about one board or several; ``note`` is one on the command line."""
    warnings = [note] if note else []
    warnings += _said(results) + [board.boot_note for board, _ in results if board.boot_note]
    return document(
        "flash",
        ok=all(error is None and board.starts for board, error in results),
        results=[_board_fields(board, error) for board, error in results],
        warnings=dict.fromkeys(warnings),
    )


def plan_document(plan: FlashPlan, note: str | None) -> str:
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
        from imgtool.cli.app import hint_for

        kind = type(error).__name__
        fields["error"] = {"type": kind, "message": str(error), "hint": hint_for(error), **error.data}
    return fields


def _plan_fields(plan: FlashPlan) -> dict[str, Any]:
    from imgtool.cli.show.documents import header_fields

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
