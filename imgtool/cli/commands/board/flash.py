"""``imgtool flash``: firmware into the flash of one board or of many: planned, written, verified, started."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.cli.input.boot_rom import RomOption, rom_file
from imgtool.cli.input.connection import (
    BaudOption,
    EventsOption,
    NoStubOption,
    PortsOption,
    ResetOption,
    StubOption,
    ports_of,
)
from imgtool.cli.input.flash_options import (
    BackupOption,
    DetectSizeOption,
    FilesOption,
    ForceOption,
    KeepFilesOption,
    LoseOption,
    OldDetectSizeOption,
    RestoreFilesOption,
)
from imgtool.cli.input.options import (
    FreqOption,
    ImagesArgument,
    InitDataOption,
    ModeOption,
    SetOption,
    images_of,
)
from imgtool.errors import ImgtoolError, InterruptedRunError, PortError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.cli.run.backups import BackupPlace
    from imgtool.cli.run.boards import BoardLog, BoardOutcome
    from imgtool.cli.show.progress import Progress
    from imgtool.device.events import Event
    from imgtool.engine.jobs.flash import Ask, FlashRequest, FlashResult, JudgedFiles

__all__ = ["flash"]


def flash(
    context: typer.Context,
    images: ImagesArgument = None,
    port: PortsOption = None,
    all_ports: Annotated[
        bool, typer.Option("--all-ports", help="Every known adapter that is there, side by side.")
    ] = False,
    baud: BaudOption = None,
    stub: StubOption = "auto",
    no_stub: NoStubOption = False,
    reset: ResetOption = "auto",
    mode: ModeOption = "keep",
    freq: FreqOption = "keep",
    size: DetectSizeOption = "detect",
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
    files: FilesOption = None,
    keep_files: KeepFilesOption = False,
    restore_files: RestoreFilesOption = None,
    backup: BackupOption = None,
    lose: LoseOption = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Boot it in memory first: what then fails is not written.")
    ] = False,
    rom: RomOption = None,
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
    @init-data v05, v08 or default (what the firmware needs) needs no file; ./v05 is a file.
    Where files or LFS would be lost it asks, or ends with exit code 8.
    --keep-files, --backup or --lose goes on.

    Example: imgtool flash nodemcu.bin
    """
    from imgtool.cli.input.connection import connect_options
    from imgtool.cli.input.file_tree import folder_files
    from imgtool.cli.input.placing import (
        changes_of,
        file_as_it_is,
        files_and_init_data,
        found_here,
        init_file,
    )
    from imgtool.cli.run.backups import asks, backup_place
    from imgtool.cli.run.boards import BoardLog
    from imgtool.cli.show.progress import Progress
    from imgtool.engine.jobs import flash as job

    files_given, choice = files_and_init_data(images_of(images) if images else found_here(), init_data)
    request = job.FlashRequest(
        files=files_given,
        mode=mode,
        freq=freq,
        size=size,
        old_size=old_size,
        init_data=choice,
        init_file=init_file(init_data),
        init_fields=changes_of(changes or []),
        fresh_settings=fresh_settings,
        erase_all=erase_all,
        diff=not no_diff,
        verify=verify,
        force=frozenset(force or []),
        lose=frozenset(lose or []),
        backup=backup is not None,
        content=None if files is None else folder_files(files),
        restore=None if restore_files is None else file_as_it_is(restore_files),
        keep_files=keep_files,
        rehearse=rehearse,
        rom=rom_file(rom) if rehearse else None,
        boot_check=not no_boot_check,
        dry_run=dry_run,
        connect=connect_options(baud, stub, reset, no_stub=no_stub),
    )
    looked_at = job.judged(request)
    if dry_run and job.stated_size(request) and not port and not all_ports:
        _show_offline(context, job.plan_without_board(request), as_json=json)
        return
    board_log = None if log is None or dry_run else BoardLog(log)
    try:
        ports = ports_of(port, all_ports=all_ports)
    except PortError as error:
        if dry_run:
            error.add_note("--dry-run --flash-size SIZE plans without a board")
        raise
    place = backup_place(backup, boards=len(ports))
    with Progress(ports, events=events, silent=json) as progress:
        if looked_at.note:
            progress.note(looked_at.note)
        ask = asks(progress, quiet=json or events) if len(ports) == 1 and not all_ports else None
        run = _BoardsRun(context, request, looked_at, progress, board_log, place, ask, as_json=json)
        code = run.one(ports[0]) if len(ports) == 1 else run.many(ports)
    raise typer.Exit(code)


def _show_offline(context: typer.Context, result: FlashResult, *, as_json: bool) -> None:
    from imgtool.cli.show.document import print_document

    if as_json:
        print_document(result.document)
    else:
        _show_plan(context, result)


def _show_plan(context: typer.Context, result: FlashResult, *, more: bool = False) -> None:
    """The plan, and the command that has the files at their places, where some stand elsewhere."""
    from imgtool.cli.input.corrected import corrected_in
    from imgtool.cli.show.flash_report import show_plan
    from imgtool.cli.show.render import show_right

    show_plan(result, more=more)
    show_right(corrected_in(context, () if result.plan is None else result.plan.moves))


@dataclass
class _BoardsRun:
    """A run over all boards."""

    context: typer.Context
    request: FlashRequest
    files: JudgedFiles
    progress: Progress
    log: BoardLog | None
    place: BackupPlace
    ask: Ask | None
    as_json: bool

    def one(self, port: str) -> int:
        """Flash one board; its plan and its result are printed as they come."""
        from imgtool.cli.show.document import print_document
        from imgtool.cli.show.flash_report import show_rehearsal, show_result

        def told(result: FlashResult) -> None:
            if self.as_json:
                return
            self.progress.clear()
            if result.rehearsal is None:
                _show_plan(self.context, result, more=not self.request.dry_run)
            else:
                show_rehearsal(result, more=not self.request.dry_run)
            sys.stdout.flush()

        result = self._flash(port, told)
        if result.error is not None:
            raise result.error
        self.progress.clear()
        if self.as_json:
            print_document(result.document)
        elif not self.request.dry_run:
            show_result(result)
        return result.code

    def many(self, ports: list[str]) -> int:
        """Flash boards side by side; a table tells what became of each."""
        from imgtool.cli.run.boards import side_by_side
        from imgtool.cli.show.document import print_document
        from imgtool.cli.show.flash_report import show_boards
        from imgtool.engine.jobs.flash import boards_document, code_of_boards

        def work(port: str) -> FlashResult:
            return self._flash(port, None)

        outcomes = side_by_side(ports, work, self.progress.stop)
        results = [outcome.result or self._stopped(outcome) for outcome in outcomes]
        self.progress.clear()
        if self.as_json:
            print_document(boards_document(results))
        else:
            show_boards(results)
        return code_of_boards(results)

    def _stopped(self, outcome: BoardOutcome[FlashResult]) -> FlashResult:
        """A board whose run ended before it had anything to tell, or whose row cannot be written."""
        from imgtool.engine.jobs.flash import failed_board

        error = outcome.error
        stopped = error if isinstance(error, ImgtoolError) else InterruptedRunError("interrupted")
        return failed_board(outcome.port, self.request, stopped)

    def _flash(self, port: str, told: Callable[[FlashResult], None] | None) -> FlashResult:
        from imgtool.cli.run.connecting import opened
        from imgtool.engine.jobs.flash import PlannedEvent, RehearsedEvent, failed_board, flash_board

        listen = self.progress.listener(port)

        def hear(event: Event) -> None:
            if told is not None and isinstance(event, PlannedEvent | RehearsedEvent):
                told(event.result)
            elif not isinstance(event, PlannedEvent):
                listen(event)

        try:
            with opened(port, self.progress) as wire:
                result = flash_board(
                    wire, self.request, hear, files=self.files, save=self.place.save, ask=self.ask
                )
        except ImgtoolError as error:
            result = failed_board(port, self.request, error)
        self._record(result)
        self.progress.end(port, result.summary)
        return result

    def _record(self, result: FlashResult) -> None:
        if self.log is None:
            return
        from imgtool.cli.run.boards import LogRow

        done = result.transfer
        self.log.add(
            LogRow(
                time=datetime.now().astimezone().isoformat(timespec="seconds"),
                port=result.port or "",
                mac=result.chip.mac if result.chip else "",
                flash_id=result.flash.id.hex() if result.flash else "",
                sha256=done.sha256 if done else "",
                stub=done.stub if done else "",
                verified=done.verified if done else "",
                result=result.summary,
            )
        )
