"""Firmware into the flash of one board: judged, planned, written, verified, started; and the same on paper.

Not the rules of the plan (imgtool.operations.flashing) and not the writing of sectors; boards side by side
are as many runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import flash_size
from imgtool.device.events import Event, ignore
from imgtool.engine.chips import chip_fields, flash_words
from imgtool.engine.choices import WAIVERS
from imgtool.engine.connecting import DeviceReader, connected, target_of
from imgtool.engine.documents import document, error_fields, warnings_of
from imgtool.engine.hints import hint_for
from imgtool.engine.inputs import new_files
from imgtool.engine.jobs.boot_check import WrittenFirmware, watch_start
from imgtool.engine.placing import KEEP, PlacedFiles, header_change, init_source, placed, size_name
from imgtool.engine.plans import files_fields, plan_fields, plan_words
from imgtool.engine.results import Row, Table, Tone, Toned, Words
from imgtool.engine.verdicts import DONE, NO, exit_code_of, may_start
from imgtool.errors import (
    ChipError,
    ImgtoolError,
    InterruptedRunError,
    PortError,
    ProtectedError,
    UsageError,
    VerifyError,
)
from imgtool.operations.files.reading import differing, files_of
from imgtool.operations.flashing import transfer, waivers
from imgtool.operations.flashing.draft import PlanRequest, Target
from imgtool.operations.flashing.header import DETECT
from imgtool.operations.flashing.init_data import INIT_DATA
from imgtool.operations.flashing.losses import FIRST_START
from imgtool.operations.flashing.plan import check_files, plan_flash
from imgtool.operations.flashing.safeguards import (
    Answer,
    Ask,
    Backup,
    SaveBackup,
    SavedBackup,
    backed_up,
    check_lose,
    check_saved,
    decided,
    files_saved,
)
from imgtool.phrase import Name, Phrase
from imgtool.quantities import duration, in_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.device.events import Listener
    from imgtool.device.flash_chip import FlashChip
    from imgtool.device.identity import ChipIdentity
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import FolderFile, InputFile
    from imgtool.engine.jobs.virtual.rehearsal import Rehearsal
    from imgtool.engine.results import Cell, Output
    from imgtool.formats.filesystems.stored_files import NewFile
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.explain.log import Explanation
    from imgtool.operations.flashing.plan import FlashPlan
    from imgtool.operations.flashing.transfer import Transfer

__all__ = [
    "CHECKS",
    "DETECT",
    "VERIFY",
    "Answer",
    "Ask",
    "Backup",
    "FlashRequest",
    "FlashResult",
    "PlannedEvent",
    "RehearsedEvent",
    "SaveBackup",
    "SavedBackup",
    "boards_document",
    "boards_words",
    "code_of_boards",
    "failed_board",
    "flash",
    "flash_board",
    "judged",
    "plan_without_board",
    "stated_size",
    "warnings_of_plans",
]

VERIFY: Final = ("auto", "readback", "none")
"""How what was written is verified: by digest where the device can, by reading it back, not at all."""

CHECKS: Final = WAIVERS
"""The checks that can be waived, by name."""

_UNTOUCHED: Final = "nothing was written"
_IN_PARTS: Final = "the flash is incomplete"
_MAYBE: Final = "the flash may be incomplete"
_AGAIN: Final = "the same command again repairs it"
_FINISHES: Final = " in place of --keep-files finishes the job"
_SHOWN_FILES: Final = 8

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
        "backup",
        "files",
        "rehearsal",
        "boot",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashRequest:
    """What is to be written to a board, and how.

    Attributes:
        files: The firmware, and what goes to addresses or named places of its own; none where init data is
            all that is written.
        mode: Flash mode in the header, or ``keep``.
        freq: Flash frequency, or ``keep``.
        size: Flash size in the header: ``detect``, ``keep``, or the name of one.
        old_size: The same as esptool's ``-fs`` has it, in megabits too; None for ``size`` alone.
        init_data: ``auto``, ``keep``, ``none``, ``v05``, ``v08``, or ``default`` for what the firmware needs.
            Without a firmware among the files it goes where that on the board looks for it.
        init_file: A file with init data, in place of a choice.
        init_fields: Fields of the init data to set, by name, as texts.
        fresh_settings: Whether NodeMCU's record page comes from the image, not from the device.
        erase_all: Whether the whole flash is erased first.
        diff: Whether what the flash holds already is left alone.
        verify: ``auto`` for by digest where the device can, ``readback``, or ``none``.
        force: Which checks are waived: ``chip``, ``damaged``, ``fit``, ``mode``, ``place``, ``sector``,
            ``size``, ``protection``.
        lose: What may be lost by it: ``files``, ``lfs``, ``settings``, ``firmware``, ``unknown`` or ``all``.
            Nothing is written over files and LFS that are neither given up nor backed up.
        backup: Whether the whole flash is read first and given to who saves it.
        content: Files of which a file system is made, as the firmware takes it; None for none.
        restore: A copy of a file system, or of a flash, whose files are put in as ``content``.
        keep_files: Whether the files on the board are read, saved, and carried to where the firmware looks.
        rehearse: Whether the write is rehearsed on the virtual board first.
        rom: A dump of the boot ROM for that; None for none.
        boot_check: Whether to look at how the firmware starts.
        dry_run: Whether only to plan.
        connect: How to connect; None for the usual way.
    """

    files: tuple[InputFile, ...]
    mode: str = KEEP
    freq: str = KEEP
    size: str = DETECT
    old_size: str | None = None
    init_data: str = "auto"
    init_file: InputFile | None = None
    init_fields: Mapping[str, str] = field(default_factory=dict)
    fresh_settings: bool = False
    erase_all: bool = False
    diff: bool = True
    verify: str = "auto"
    force: frozenset[str] = frozenset()
    lose: frozenset[str] = frozenset()
    backup: bool = False
    content: tuple[FolderFile, ...] | None = None
    restore: InputFile | None = None
    keep_files: bool = False
    rehearse: bool = False
    rom: InputFile | None = field(default=None, repr=False)
    boot_check: bool = True
    dry_run: bool = False
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashResult:
    """What became of a board.

    Attributes:
        port: Its port; None for a plan without one.
        chip: Which chip it is; None where that was not found out.
        flash: Which flash it has, likewise.
        plan: What was to be written; None where it did not come to that.
        transfer: What was done; None where nothing was.
        backup: Where the flash before is saved; None where that was not asked for.
        saved_files: Where the file system before is saved; None where no files were kept.
        rehearsal: What the firmware did on the virtual board; None where nothing was rehearsed.
        boot: How the firmware started; None where that was not looked at.
        boot_note: Why that is not known, or what else is to be said of it; empty for nothing.
        error: What went wrong; None for nothing.
        request: What was asked for.
        note: What is to be said of the request; None for nothing.
        fields: Its row of the document.
        plan_words: What a person is told of the plan, before anything is written.
    """

    port: str | None
    chip: ChipIdentity | None = None
    flash: FlashChip | None = None
    plan: FlashPlan | None = None
    transfer: Transfer | None = None
    backup: SavedBackup | None = None
    saved_files: SavedBackup | None = None
    rehearsal: Rehearsal | None = None
    boot: Explanation | None = None
    boot_note: str = ""
    error: ImgtoolError | None = None
    request: FlashRequest = field(repr=False)
    note: str | None = None
    fields: Mapping[str, Any] = field(repr=False)
    plan_words: Words | None = field(repr=False, default=None)

    @property
    def boots(self) -> bool:
        """Whether what was written has an image that the ROM boots; else a boot says nothing about it."""
        return self.plan is not None and self.plan.header is not None

    @property
    def starts(self) -> bool:
        """Whether nothing says that the firmware does not start."""
        return not self.boots or may_start(self.boot)

    @property
    def ok(self) -> bool:
        """Whether the board is as it was asked for, as far as that is known."""
        return self.error is None and self.starts

    @property
    def code(self) -> int:
        """The exit code."""
        if self.error is not None:
            return exit_code_of(self.error)
        return DONE if self.starts else NO

    @property
    def boot_tone(self) -> Tone:
        """How the words about its boot are meant."""
        if self.boot_good:
            return Tone.GOOD
        return Tone.CARE if self.starts else Tone.WRONG

    @property
    def boot_good(self) -> bool:
        """Whether its boot says that all is well."""
        return self.boot is not None and self.boot.ok

    @property
    def document(self) -> Document:
        """What ``imgtool flash --json`` prints."""
        return boards_document([self])

    @property
    def summary(self) -> str:
        """What became of the board, in a few words."""
        if self.error is not None:
            return self.error.message
        if self.transfer is None:
            return "planned"
        if not self.starts and self.boot is not None:
            return f"does not start: {self.boot.verdict}"
        return "ok" if self.transfer.verified != "no" else "ok, not verified"

    @property
    def words(self) -> Words:
        """What a person is told in the end."""
        if self.error is not None:
            return Words(verdict=self.error.phrase, tone=Tone.WRONG, notes=(hint_for(self.error),))
        if self.transfer is None:
            return self.plan_words or Words(verdict=self.summary)
        return _result_words(self, self.transfer)

    @property
    def rehearsal_words(self) -> Words | None:
        """What a person is told of the rehearsal; None where nothing was rehearsed."""
        if self.rehearsal is None:
            return None
        from imgtool.engine.jobs.virtual.rehearsal import rehearsal_report  # noqa: PLC0415 - few have one

        return rehearsal_report(self.rehearsal)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """None: a board is no file."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvent(Event):
    """The plan is made, and nothing was touched yet; a listener that raises leaves it at that.

    Attributes:
        result: The board with its plan.
    """

    stage: str = "plan"
    result: FlashResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedEvent(Event):
    """The write was booted in memory, nothing speaks against it, and nothing was touched yet.

    Attributes:
        result: The board with its plan and its rehearsal.
    """

    stage: str = "note"
    result: FlashResult


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFiles:
    """Files that were looked at before any port is opened.

    Attributes:
        plan: What is to be planned of them.
        note: What is to be said of how it was asked for; None for nothing.
    """

    plan: PlanRequest
    note: str | None


# Before there is a board.


def judged(request: FlashRequest) -> JudgedFiles:
    """Look at the files of a request, so that what is wrong with them is said before a port is opened.

    Raises:
        UsageError: A word that has no meaning, or files without addresses.
        FormatError: A file is damaged, or is not for the flash of an ESP8266.
        LayoutError: Files overlap, or stand where they do not belong.
    """
    if request.verify not in VERIFY:
        raise UsageError("not a way to verify", expected=", ".join(VERIFY), found=request.verify)
    for word in sorted(request.force):
        if word not in CHECKS:
            raise UsageError("there is no such check", expected=", ".join(CHECKS), found=word)
    check_lose(request.lose)
    choice, note = _size_choice(request.size, request.old_size)
    change, _ = header_change(request.mode, request.freq)
    source = init_source(request.init_data, request.init_file, request.init_fields, by_board=True)
    files = _placed(request, source)
    plan = PlanRequest(
        files.pieces,
        files.named,
        change,
        choice,
        source,
        fresh_settings=request.fresh_settings,
        erase_all=request.erase_all,
        force=request.force - {waivers.PROTECTION},
        lose=request.lose,
        files=_own_files(request),
        keep_files=request.keep_files,
    )
    check_files(plan)
    return JudgedFiles(plan=plan, note=note)


def _own_files(request: FlashRequest) -> tuple[NewFile, ...] | None:
    """The files that are to be put in; None for none."""
    if request.restore is None:
        return None if request.content is None else new_files(request.content)
    if request.content is not None or request.keep_files:
        raise UsageError(
            "files come from two places", expected="a saved copy alone", found="a copy, and others beside it"
        )
    return files_of(request.restore.data, request.restore.name)


def _placed(request: FlashRequest, source: InitDataSource) -> PlacedFiles:
    """What lies where; nothing where init data is all that is asked for."""
    by_choice = source.choice not in ("auto", KEEP, "none")
    if by_choice and any(file.place == INIT_DATA for file in request.files):
        raise UsageError("init data is given twice", expected="one", found=f"a file, and {source.choice}")
    return PlacedFiles(()) if by_choice and not request.files else placed(request.files)


def _size_choice(size: str, old_size: str | None) -> tuple[str, str | None]:
    """``detect``, ``keep`` or the name of a size, and a note on how it was spelled."""
    if old_size is not None and size.lower() != DETECT:
        raise UsageError(
            "two flash sizes are given", expected="--flash-size or -fs", found=f"{size} and {old_size}"
        )
    word = size if old_size is None else old_size
    if word.lower() in (DETECT, KEEP):
        return word.lower(), None
    try:
        return size_name(word, short=old_size is not None)
    except UsageError as error:
        raise UsageError(error.message, expected=f"{DETECT}, {KEEP}, {error.expected}", found=word) from None


def stated_size(request: FlashRequest) -> str | None:
    """The flash size that a request names; None where a board has to tell it."""
    choice, _ = _size_choice(request.size, request.old_size)
    return None if choice in (DETECT, KEEP) else choice


def plan_without_board(request: FlashRequest) -> FlashResult:
    """The plan for a board with a flash of the size that the request names, which nobody has looked at.

    Raises:
        UsageError: The request names no size, or a word that has no meaning.
        FormatError: A file is damaged, or not what it is given for.
        LayoutError: Something does not fit, overlaps, or has no place that can be justified.
    """
    size = stated_size(request)
    if size is None:
        raise UsageError("nothing tells how large the flash is", expected="a flash size", found=request.size)
    files = judged(request)
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=flash_size(size).bytes)
    asked = files.plan
    if not any(piece.address == 0 for piece in asked.pieces):
        asked = replace(asked, size_choice=DETECT)  # nothing has a header to state it in
    plan = plan_flash(asked, target)
    fields = {
        "port": None,
        "chip": None,
        "flash": {"bytes": target.flash_bytes},
        **_NOTHING_DONE,
        "plan": plan_fields(plan),
    }
    where = Row("flash", f"{size}, as asked; no device was looked at")
    words = plan_words(plan, before=(where,))
    return FlashResult(
        port=None, plan=plan, request=request, note=files.note, fields=fields, plan_words=words
    )


# With a board.


def flash(
    wire: Wire,
    request: FlashRequest,
    on_event: Listener = ignore,
    *,
    save: SaveBackup | None = None,
    ask: Ask | None = None,
) -> FlashResult:
    """Write firmware to the flash of a board, verify it, and start it.

    Args:
        wire: An open port, which stays open.
        request: What is to be written.
        on_event: Told what happens: of the plan by a :class:`PlannedEvent`, before anything is touched.  It
            may raise :class:`imgtool.errors.InterruptedRunError` to stop there.
        save: Saves a backup and says where it is.
        ask: Asks the user what to do where files or LFS would be lost; None where nobody can be asked.

    Raises:
        UsageError: A word of the request has no meaning, or nobody saves the backup.
        FormatError: A file is damaged, or not what it is given for.
        LayoutError: Something does not fit, overlaps, or has no place that can be justified.
        LossError: Files or LFS would be lost, and the user has not said that they may be.
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
        VerifyError: The flash does not hold what was written.
        InterruptedRunError: It was stopped; it says what is on the board now.
    """
    result = flash_board(wire, request, on_event, save=save, ask=ask)
    if result.error is not None:
        raise result.error
    return result


def flash_board(
    wire: Wire,
    request: FlashRequest,
    on_event: Listener = ignore,
    *,
    files: JudgedFiles | None = None,
    save: SaveBackup | None = None,
    ask: Ask | None = None,
) -> FlashResult:
    """The same, with what went wrong in the result: of many boards each has one.

    Args:
        wire: An open port, which stays open.
        request: What is to be written.
        on_event: Told what happens.
        files: The files of the request, where they were looked at already.
        save: Saves a backup and says where it is.
        ask: Asks the user; None where nobody can be asked.
    """
    run = _BoardRun(wire, request, on_event, save)
    try:
        run.go(judged(request) if files is None else files, ask)
    except (ImgtoolError, KeyboardInterrupt) as error:
        run.error = run.with_what_is_left(error)
    return run.result()


def failed_board(port: str, request: FlashRequest, error: ImgtoolError) -> FlashResult:
    """A board that nothing was done to, as its port could not be opened."""
    fields = {"port": port, "chip": None, "flash": None, **_NOTHING_DONE}
    fields["error"] = error_fields(error, hint_for(error))
    return FlashResult(port=port, request=request, error=error, fields=fields)


class _BoardRun:
    """One run, and what is known of its board so far."""

    def __init__(
        self, wire: Wire, request: FlashRequest, on_event: Listener, save: SaveBackup | None
    ) -> None:
        self.wire = wire
        self.request = request
        self.listen = on_event
        self.save = save
        self.saved: SavedBackup | None = None
        self.saved_files: SavedBackup | None = None
        self.rehearsal: Rehearsal | None = None
        self.whole: bytes | None = None
        self.session: Session | None = None
        self.plan: FlashPlan | None = None
        self.baud = 0
        self.done: Transfer | None = None
        self.boot: Explanation | None = None
        self.boot_note = ""
        self.note: str | None = None
        self.error: ImgtoolError | None = None
        self.left = _UNTOUCHED
        self.comparing = 0.0

    def go(self, files: JudgedFiles, ask: Ask | None) -> None:
        """Plan, ask, back up, write, verify, start."""
        request = self.request
        saves = (request.backup or request.keep_files) and not request.dry_run
        check_saved(backup=saves, save=self.save)
        if request.rehearse:
            _check_rom(request.rom)
        self.note = files.note
        with connected(self.wire, request.connect, self._hear, run=request.dry_run) as session:
            self.session = session
            plan, answer = self._settled(session, files.plan, ask)
            if answer is Answer.BACKUP and not request.dry_run:
                self._back_up(session)
            if request.rehearse:
                self._rehearse(session, plan)
            if request.dry_run:
                return
            if plan.files is not None and plan.files.kept is not None:
                self.saved_files = files_saved(session, plan.files.kept, self.save, self.listen)
            # An erase may be under way before the first event tells of it.
            self.left = _MAYBE
            done = transfer.transfer(session, self._job(plan), self._hear)
            if request.verify != "none":
                self._read_files_back(session, plan)
            self.done = replace(done, seconds=done.seconds + self.comparing)
            self._start(session)

    def _settled(self, session: Session, asked: PlanRequest, ask: Ask | None) -> tuple[FlashPlan, Answer]:
        """The plan, and what is to be done about what it destroys; the user may want another one."""
        request = self.request
        plan = self._planned(session, asked)
        if request.dry_run:
            return plan, Answer.LOSE
        answer = decided(plan.losses, request.lose, backup=request.backup, ask=ask)
        if answer is Answer.KEEP_FILES:
            plan = self._planned(session, replace(asked, keep_files=True))
            answer = decided(plan.losses, request.lose, backup=False, ask=ask)
        return plan, answer

    def _planned(self, session: Session, asked: PlanRequest) -> FlashPlan:
        """Plan the write, and say so."""
        plan = plan_flash(
            asked,
            target_of(session),
            DeviceReader(session, self.listen),
            (lambda pieces: self._compared(session, pieces)) if self.request.diff else None,
        )
        seconds = transfer.estimate(self._job(plan), session, stub=session.flasher.digests)
        self.baud = session.baud
        self.plan = plan = replace(plan, seconds=seconds, way=_way(session))
        self.listen(PlannedEvent(result=self.result()))
        return plan

    def _job(self, plan: FlashPlan) -> transfer.Job:
        request = self.request
        return transfer.Job(
            plan.pieces,
            plan.erase_all,
            request.diff,
            waivers.PROTECTION in request.force,
            request.verify,
            plan.right,
        )

    def _rehearse(self, session: Session, plan: FlashPlan) -> None:
        """Boot what would be on the board, and stop there if it does not do what it should."""
        from imgtool.engine.jobs.virtual import rehearsal  # noqa: PLC0415 - few writes are rehearsed

        before = rehearsal.flash_of_board(session, plan.target.flash_bytes, self.whole)
        self.rehearsal = rehearsal.rehearse(before, plan, self.request.rom, self.listen)
        rehearsal.check_rehearsed(self.rehearsal, plan.files)
        words = rehearsal.rehearsal_words(self.rehearsal)
        self.listen(RehearsedEvent(message=words, result=self.result()))

    def _read_files_back(self, session: Session, plan: FlashPlan) -> None:
        """See that every file is there, by reading the file system as the firmware will."""
        files = plan.files
        if files is None or not files.pieces or files.target is None:
            return
        self.listen(Event("note", message=f"the files are read back: {in_bytes(files.bytes)}"))
        wrong = differing(files.files, files.made, DeviceReader(session, self.listen))
        if wrong:
            names = Phrase.joined(", ", [Name(name) for name in wrong[:_SHOWN_FILES]])
            raise VerifyError(
                Phrase(f"{len(wrong)} of {len(files.files)} files read back differently: ", names),
                offset=files.start,
                cause="the flash holds what was written, but its file system does not read as it should",
            )

    def _compared(self, session: Session, pieces: tuple[Piece, ...]) -> frozenset[int] | None:
        """What is there already; the time for it counts as that of the write, which it saves."""
        start = session.wire.clock.monotonic()
        right = transfer.compared(session, pieces, self.listen)
        self.comparing = session.wire.clock.monotonic() - start
        return right

    def _back_up(self, session: Session) -> None:
        """Save the whole flash, and name the file before anything is erased."""
        save = self.save

        def keep(backup: Backup) -> str:
            self.whole = backup.data
            return "" if save is None else save(backup)

        self.saved = backed_up(session, keep, self.listen)
        self.listen(Event("note", message=Phrase("the flash as it was is in ", Name(self.saved.path))))

    def _hear(self, event: Event) -> None:
        if event.stage in ("erase", "write"):
            self.left = _IN_PARTS
        self.listen(event)

    def _start(self, session: Session) -> None:
        """Start the firmware, and look at how it does."""
        try:
            if not session.run_firmware():
                self.boot_note = "reset the board to start the firmware: its port cannot do it"
            elif self.request.boot_check and self.plan is not None:
                self.boot, self.boot_note = watch_start(session, _written(self.plan), self.listen)
        except PortError as error:
            self.boot_note = Phrase("whether the firmware starts is not known: ", error.phrase)

    def with_what_is_left(self, error: BaseException) -> ImgtoolError:
        """The error with what a broken run has left on the board."""
        touched = self.left != _UNTOUCHED
        if isinstance(error, KeyboardInterrupt | InterruptedRunError):
            problem: ImgtoolError = InterruptedRunError(f"interrupted: {self.left}")
            if touched and self.saved_files is None:
                problem.add_note(_AGAIN)
            return self._with_backup(problem)
        if not isinstance(error, ImgtoolError):
            raise error
        self._with_backup(error)
        broken = isinstance(error, PortError | ChipError) and not isinstance(error, ProtectedError)
        if broken and touched:
            error.add_note(self.left if self.saved_files is not None else f"{self.left}; {_AGAIN}")
        return error

    def _with_backup(self, error: ImgtoolError) -> ImgtoolError:
        if self.saved_files is not None:
            name = Name(self.saved_files.path)
            error.add_note(
                Phrase("the files as they were are in ", name, ": --restore-files ", name, _FINISHES)
            )
        if self.saved is not None:
            error.add_note(Phrase("the flash as it was is in ", Name(self.saved.path)))
        return error

    def result(self) -> FlashResult:
        """What is known of the board now."""
        session = self.session
        return FlashResult(
            port=self.wire.name,
            chip=None if session is None else session.chip,
            flash=None if session is None else session.flash,
            plan=self.plan,
            transfer=self.done,
            backup=self.saved,
            saved_files=self.saved_files,
            rehearsal=self.rehearsal,
            boot=self.boot,
            boot_note=self.boot_note,
            error=self.error,
            request=self.request,
            note=self.note,
            fields=self._fields(),
            plan_words=self._plan_words(),
        )

    def _plan_words(self) -> Words | None:
        session, plan = self.session, self.plan
        if session is None or plan is None:
            return None
        chip = session.chip
        before = (
            Row("chip", f"{chip.model}, MAC {chip.mac}, crystal {chip.crystal_mhz} MHz"),
            Row("flash", flash_words(session)),
        )
        return plan_words(plan, before=before)

    def _fields(self) -> dict[str, Any]:
        session, done, plan = self.session, self.done, self.plan
        fields: dict[str, Any] = {"port": self.wire.name, "chip": None, "flash": None}
        if session is not None:
            fields |= chip_fields(session)
        fields |= _NOTHING_DONE
        if plan is not None:
            fields["plan"] = plan_fields(plan)
        if session is not None and plan is not None:
            fields |= {"stub": session.flasher.name if self.error is None else None, "baud": self.baud}
        if done is not None:
            fields |= _transfer_fields(done)
        if self.saved is not None:
            fields["backup"] = asdict(self.saved)
        if plan is not None and plan.files is not None:
            saved = None if self.saved_files is None else asdict(self.saved_files)
            fields["files"] = {**files_fields(plan.files), "saved": saved}
        if self.rehearsal is not None:
            from imgtool.engine.jobs.virtual.rehearsal import rehearsal_fields  # noqa: PLC0415 - likewise

            fields["rehearsal"] = rehearsal_fields(self.rehearsal)
        if self.boot is not None:
            fields["boot"] = {
                "verdict": str(self.boot.verdict),
                "ok": self.boot.ok,
                "sentence": self.boot.sentence,
                "cause": self.boot.cause,
            }
        if self.error is not None:
            fields["error"] = error_fields(self.error, hint_for(self.error))
        return fields


def _check_rom(rom: InputFile | None) -> None:
    from imgtool.engine.jobs.virtual.rehearsal import check_rom  # noqa: PLC0415 - few writes are rehearsed

    check_rom(rom)


def _written(plan: FlashPlan) -> WrittenFirmware:
    """What starts now, as far as the plan tells."""
    firmware = None if plan.description is None else plan.description.firmware
    return WrittenFirmware(firmware, any(finding.code == FIRST_START for finding in plan.findings))


def _way(session: Session) -> str:
    """By what the flash is worked on, and how fast."""
    if session.flasher.digests:
        return f"{session.flasher.name}, at {session.baud:,} baud"
    return f"none: the ROM loader, at {session.baud:,} baud"


def _transfer_fields(done: Transfer) -> dict[str, Any]:
    return {
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


# Words and documents.


def _result_words(result: FlashResult, done: Transfer) -> Words:
    verdict, tone = _done_words(done, result.request.verify)
    notes = []
    if done.retries:
        notes.append(f"{done.retries} step{'s' if done.retries > 1 else ''} had to be done again")
    boot = result.boot
    notes += [result.boot_note] if result.boot_note else []
    if result.plan is not None and result.plan.files is not None and result.plan.files.pieces:
        files = result.plan.files
        checked = ", each read back" if result.request.verify != "none" else ""
        notes.append(f"{files.count} in the file system at 0x{files.start:06x}{checked}")
    if result.saved_files is not None:
        notes.append(Phrase("the files as they were are in ", Name(result.saved_files.path)))
    if result.backup is not None:
        notes.append(Phrase("the flash as it was is in ", Name(result.backup.path)))
    if boot is None:
        return Words(verdict=verdict, tone=tone, notes=tuple(notes))
    rows = [Row("boot", boot.sentence)]
    tell = result.boots and str(boot.verdict) != "runs"
    rows += [Row("cause", boot.cause)] if tell else []
    return Words(
        verdict=verdict,
        tone=tone,
        rows=tuple(rows),
        notes=tuple(notes),
        cures=boot.cures if tell else (),
    )


def _done_words(done: Transfer, verify: str) -> tuple[str, Tone]:
    """What was written and how that was verified."""
    size = in_bytes(done.written + done.erased)
    took = duration(done.seconds)
    right = f"; {in_bytes(done.unchanged)} were right already" if done.unchanged else ""
    verified = done.verified != "no"
    if not done.written and not done.erased:
        if verified:
            there = in_bytes(done.unchanged)
            return f"nothing to write: {there} are right already, verified in {took}", Tone.GOOD
        return f"nothing to write: all is right already ({took})", Tone.GOOD
    if verified:
        return f"written and verified: {size} in {took}{right}", Tone.GOOD
    why = (
        "as --verify none asks"
        if verify == "none"
        else "the ROM loader cannot digest; --verify readback reads it back"
    )
    return f"written, not verified: {size} in {took}{right} ({why})", Tone.CARE


def warnings_of_plans(results: Sequence[FlashResult]) -> list[str]:
    """The warnings of all plans, each once."""
    plans = [result.plan for result in results if result.plan is not None]
    return list(dict.fromkeys(words for plan in plans for words in warnings_of(plan.findings)))


def boards_document(results: Sequence[FlashResult]) -> Document:
    """The document about one board or several."""
    warnings = [result.note for result in results if result.note]
    warnings += warnings_of_plans(results)
    warnings += [result.boot_note for result in results if result.boot_note]
    return document(
        "flash",
        ok=all(result.ok for result in results),
        results=[result.fields for result in results],
        warnings=dict.fromkeys(warnings),
    )


def boards_words(results: Sequence[FlashResult]) -> Words:
    """What a person is told of several boards: a row of a table each, then errors with their hints once."""
    rows: list[Row] = []
    hints: set[str] = set()
    for result in results:
        board = Phrase(Name(result.port or ""), ": ")
        if result.error is not None:
            named = result.error.source == result.port
            rows.append(Row("error", result.error.phrase if named else Phrase(board, result.error.phrase)))
            hint = hint_for(result.error)
            if hint not in hints:  # eight silent boards have one cure
                rows.append(Row("hint", hint))
            hints.add(hint)
        elif not result.starts and result.boot is not None:
            rows.append(Row("error", Phrase(board, result.boot.sentence)))
    good = sum(result.ok for result in results)
    table = Table(
        rows=tuple(_board_row(result) for result in results),
        head=("port", "MAC", "bytes", "time", "result"),
        right=(2, 3),
    )
    return Words(
        verdict=f"{len(results)} boards: {good} good, {len(results) - good} failed",
        tone=Tone.GOOD if good == len(results) else Tone.WRONG,
        rows=tuple(rows),
        tables=(table,),
        notes=tuple(warnings_of_plans(results)),
    )


def _board_row(result: FlashResult) -> tuple[Cell, ...]:
    done = result.transfer
    size = "" if done is None else f"{done.written:,}"
    if result.request.dry_run and result.plan is not None:
        size = f"{result.plan.bytes:,}"
    word = "failed" if result.error is not None else result.summary
    return (
        Name(result.port or ""),
        result.chip.mac if result.chip else "",
        size,
        "" if done is None else duration(done.seconds),
        Toned(word, Tone.GOOD if result.ok else Tone.WRONG),
    )


def code_of_boards(results: Sequence[FlashResult]) -> int:
    """The exit code of several boards: the highest of all."""
    return max(result.code for result in results)
