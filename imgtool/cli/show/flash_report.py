"""What ``imgtool flash`` says: the plan, the result, a table of boards, their JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show.cures import show_cure
from imgtool.cli.show.text import Span, stdout
from imgtool.engine.chips import flash_words
from imgtool.engine.hints import hint_for
from imgtool.engine.jobs.flash import is_good, plan_warnings, result_words
from imgtool.phrase import Name, Phrase
from imgtool.quantities import duration, in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line, Screen
    from imgtool.engine.jobs.flash import Board
    from imgtool.errors import ImgtoolError
    from imgtool.operations.flashing.plan import FlashPlan

__all__ = [
    "show_offline",
    "show_plan",
    "show_result",
    "show_table",
]


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
    from imgtool.cli.show.render import show_findings
    from imgtool.engine.descriptions import image_words

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
    if plan.losses:
        text = "imgtool advise says more of this upgrade, and writes nothing: Lua, modules, changes of API"
        screen.paragraph(text, lead=[Span("  note       ", "dim")])


def _title(plan: FlashPlan) -> str:
    return Phrase.joined(", ", dict.fromkeys(piece.name for piece in plan.pieces)) or "nothing to write"


def _show_rows(screen: Screen, plan: FlashPlan) -> None:
    from imgtool.operations.flashing.draft import Fate

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
        what = f"{kept.name}: {kept.holds}" if kept.holds else kept.name
        verb = Span("format", "yellow") if kept.fate is Fate.FORMATTED else Span("keep", "green")
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


def show_table(results: Sequence[tuple[Board, ImgtoolError | None]], *, dry_run: bool) -> None:
    """Print what became of several boards: a row each, then their errors, then a line that sums up."""
    screen = stdout()
    rows: list[tuple[Line, ...]] = []
    for board, error in results:
        good = is_good(board, error)
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
    for finding in plan_warnings(results):
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
    count = sum(is_good(board, error) for board, error in results)
    screen.line()
    screen.line(f"{len(results)} boards: {count} good, {len(results) - count} failed")


def _word(board: Board, error: ImgtoolError | None) -> str:
    return "failed" if error is not None else result_words(board, None)
