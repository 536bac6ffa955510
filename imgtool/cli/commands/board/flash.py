"""``imgtool flash``: firmware into the flash of one board or of many: planned, written, verified, started."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.connection import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortsOption,
    ResetOption,
    StubOption,
    ports_of,
)
from imgtool.cli.input.flash_request import (
    DETECT,
    KEEP,
    VERIFY,
    DetectSizeOption,
    ForceOption,
    OldDetectSizeOption,
    Order,
    checks_of,
    request_of,
    target_of,
)
from imgtool.cli.input.options import FreqOption, ImagesArgument, InitDataOption, ModeOption, SetOption
from imgtool.errors import ChipError, ImgtoolError, InterruptedRunError, PortError, ProtectedError, UsageError
from imgtool.operations.flashing.waivers import PROTECTION
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.cli.run.boards import BoardLog, BoardOutcome
    from imgtool.cli.show.progress import Progress
    from imgtool.device.events import Event, Listener
    from imgtool.device.session import Session
    from imgtool.engine.jobs.flash import Board
    from imgtool.operations.flashing.plan import FlashRequest

__all__ = ["flash"]

_BOOT_SECONDS: Final = 2.0


def flash(
    images: ImagesArgument = None,
    port: PortsOption = None,
    all_ports: Annotated[
        bool, typer.Option("--all-ports", help="Every known adapter that is there, side by side.")
    ] = False,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    mode: ModeOption = KEEP,
    freq: FreqOption = KEEP,
    size: DetectSizeOption = DETECT,
    old_size: OldDetectSizeOption = None,
    init_data: InitDataOption = "auto",
    changes: SetOption = None,
    fresh_settings: Annotated[
        bool, typer.Option("--fresh-settings", help="Not the device's partition table and start-up commands.")
    ] = False,
    erase_all: Annotated[bool, typer.Option("-e", "--erase-all", help="Erase everything first.")] = False,
    no_diff: Annotated[
        bool, typer.Option("--no-diff", help="Write also what the flash holds already.")
    ] = False,
    verify: Annotated[
        str,
        typer.Option("--verify", metavar="HOW", help="auto (by digest, with a stub), readback, or none."),
    ] = "auto",
    force: ForceOption = None,
    no_boot_check: Annotated[
        bool, typer.Option("--no-boot-check", help="Do not look at how the firmware starts.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the plan only; with --flash-size SIZE no port is needed."),
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Add a row a board to FILE.csv or FILE.jsonl."),
    ] = None,
    json: JsonOption = False,
    events: EventsOption = False,
) -> None:
    """Write firmware to the flash, verify it, and start it.

    Without IMAGES it takes 0x*.bin from this folder, or else from bin.
    A file behind @lfs, @spiffs, @init-data or @rf-cal goes where the firmware has its place.

    Example: imgtool flash nodemcu.bin
    """
    from imgtool.cli.input.connection import connect_options
    from imgtool.cli.run.boards import BoardLog
    from imgtool.cli.show.progress import Progress

    if verify not in VERIFY:
        raise UsageError("not a way to verify", expected=", ".join(VERIFY), found=verify)
    options = connect_options(baud, stub, reset, no_stub=no_stub)
    checks = checks_of(force or [])
    request, note = request_of(
        images,
        header=(mode, freq),
        sizes=(size, old_size),
        init=(init_data, changes or []),
        fresh=fresh_settings,
        erase_all=erase_all,
        force=checks - {PROTECTION},
    )
    order = Order(
        request,
        options,
        diff=not no_diff,
        verify=verify,
        unprotect=PROTECTION in checks,
        boot_check=not no_boot_check,
        dry_run=dry_run,
    )
    sized = request.header.size or (None if request.size_choice in (DETECT, KEEP) else request.size_choice)
    if dry_run and sized and not port and not all_ports:
        _plan_offline(request, sized, note, as_json=json)
        return
    try:
        ports = ports_of(port, all_ports=all_ports)
    except PortError as error:
        if dry_run:
            error.add_note("--dry-run --flash-size SIZE plans without a board")
        raise
    board_log = None if log is None or dry_run else BoardLog(log)
    with Progress(ports, events=events, silent=json) as progress:
        if note:
            progress.note(note)
        run = _BoardsRun(order, progress, board_log, note, as_json=json)
        code = run.one(ports[0]) if len(ports) == 1 else run.many(ports)
    raise typer.Exit(code)


# Without a board.


def _plan_offline(request: FlashRequest, size: str, note: str | None, *, as_json: bool) -> None:
    from imgtool.chip import flash_size
    from imgtool.cli.show.document import print_document
    from imgtool.cli.show.flash_report import show_offline
    from imgtool.engine.jobs.flash import plan_document
    from imgtool.operations.flashing.plan import Target, plan_flash

    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=flash_size(size).bytes)
    plan = plan_flash(request, target)
    if as_json:
        print_document(plan_document(plan, note))
    else:
        show_offline(plan, size, note)


@dataclass
class _BoardsRun:
    """A run over all boards."""

    order: Order
    progress: Progress
    log: BoardLog | None
    note: str | None
    as_json: bool
    boards: dict[str, Board] = field(default_factory=dict)

    def one(self, port: str) -> int:
        """Flash one board; its plan and its result are printed as they come."""
        from imgtool.cli.show.document import print_document
        from imgtool.cli.show.flash_report import show_plan, show_result
        from imgtool.engine.jobs.flash import board_document, code_of_boards, result_words

        def planned(board: Board) -> None:
            if not self.as_json:
                self.progress.clear()
                show_plan(board, more=not self.order.dry_run)
                sys.stdout.flush()

        try:
            board = self._flash(port, planned)
        except (ImgtoolError, KeyboardInterrupt) as error:
            problem = self._with_board_state(error, self.boards[port])
            self._record(self.boards[port], problem)
            self.progress.end(port, result_words(self.boards[port], problem))
            raise problem from None
        self._record(board, None)
        self.progress.end(port, result_words(board, None))
        self.progress.clear()
        if self.as_json:
            print_document(board_document([(board, None)], self.note))
        elif not self.order.dry_run:
            show_result(board, self.order.verify)
        return code_of_boards([(board, None)])

    def many(self, ports: list[str]) -> int:
        """Flash boards side by side; a table tells what became of each."""
        from imgtool.cli.run.boards import side_by_side
        from imgtool.cli.show.document import print_document
        from imgtool.cli.show.flash_report import show_table
        from imgtool.engine.jobs.flash import board_document, code_of_boards, result_words

        def work(port: str) -> Board:
            try:
                board = self._flash(port, lambda _: None)
            except (ImgtoolError, KeyboardInterrupt) as error:
                problem = self._with_board_state(error, self.boards[port])
                self._record(self.boards[port], problem)
                self.progress.end(port, result_words(self.boards[port], problem))
                raise problem from None
            self._record(board, None)
            self.progress.end(port, result_words(board, None))
            return board

        outcomes = side_by_side(ports, work, self.progress.stop)
        results = [(self.boards[outcome.port], _error_of(outcome)) for outcome in outcomes]
        self.progress.clear()
        if self.as_json:
            print_document(board_document(results, self.note))
        else:
            show_table(results, dry_run=self.order.dry_run)
        return code_of_boards(results)

    def _flash(self, port: str, planned: Callable[[Board], None]) -> Board:
        from imgtool.cli.run.connecting import connected
        from imgtool.engine.connecting import reader_of
        from imgtool.engine.jobs.flash import Board
        from imgtool.operations.flashing.plan import plan_flash
        from imgtool.operations.flashing.transfer import Job, estimate, transfer

        order = self.order
        board = self.boards[port] = Board(port)
        listener = self._listener(board)
        with connected(port, order.options, self.progress, run=order.dry_run) as session:
            board.session = session
            reader = reader_of(session, self.progress.listener(port))
            board.plan = plan = plan_flash(order.request, target_of(session), reader)
            job = Job(plan.pieces, plan.erase_all, order.diff, order.unprotect, order.verify)
            board.seconds = estimate(job, session, stub=session.flasher.digests)
            board.baud = session.baud
            planned(board)
            if not order.dry_run:
                # An erase may be under way before the first event tells of it.
                board.left = "the flash may be incomplete"
                board.transfer = transfer(session, job, listener)
                self._start(board, session)
        return board

    def _listener(self, board: Board) -> Listener:
        listen = self.progress.listener(board.port)

        def watch(event: Event) -> None:
            if event.stage in ("erase", "write"):
                board.left = "the flash is incomplete"
            listen(event)

        return watch

    def _start(self, board: Board, session: Session) -> None:
        """Start the firmware, and look at how it does."""
        try:
            if not session.run_firmware():
                board.boot_note = "reset the board to start the firmware: its port cannot do it"
            elif self.order.boot_check:
                board.look_at(session.read_boot_log(_BOOT_SECONDS))
        except PortError as error:
            board.boot_note = Phrase("whether the firmware starts is not known: ", error.phrase)

    def _with_board_state(self, error: BaseException, board: Board) -> ImgtoolError:
        """The error with what a broken run has left on the board."""
        if isinstance(error, KeyboardInterrupt):
            problem: ImgtoolError = InterruptedRunError(f"interrupted: {board.left}")
            if board.touched:
                problem.add_note("the same command again repairs it")
        elif isinstance(error, ImgtoolError):
            problem = error
            broken = isinstance(error, PortError | ChipError) and not isinstance(error, ProtectedError)
            if broken and board.touched:
                problem.add_note(f"{board.left}; the same command again repairs it")
        else:
            raise error
        return problem

    def _record(self, board: Board, error: ImgtoolError | None) -> None:
        if self.log is None:
            return
        from datetime import datetime

        from imgtool.cli.run.boards import LogRow
        from imgtool.engine.jobs.flash import result_words

        session, done = board.session, board.transfer
        self.log.add(
            LogRow(
                time=datetime.now().astimezone().isoformat(timespec="seconds"),
                port=board.port,
                mac=session.chip.mac if session else "",
                flash_id=session.flash.id.hex() if session else "",
                sha256=done.sha256 if done else "",
                stub=done.stub if done else "",
                verified=done.verified if done else "",
                result=result_words(board, error),
            )
        )


def _error_of(outcome: BoardOutcome[Board]) -> ImgtoolError | None:
    return outcome.error if isinstance(outcome.error, ImgtoolError) else None
