"""Lines of a boot that mean one thing by themselves: a row for each, with its form and what is to be said.

Not the lines that a boot consists of, nor those of a crash: these are read in :mod:`imgtool.formats.logs`,
and judged by rules.  ``explain`` and the monitor go by this table alike.  Where each line is known from:
docs/how-to/boot-logs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.formats.logs.boot_lines import LineForm
from imgtool.formats.logs.reader import read
from imgtool.operations import actions
from imgtool.operations.actions import Area, FileRole, PlacedFile, Remark, Stretch, Unknown, cure
from imgtool.operations.explain.values import INSPECT, INSPECT_PAIR, WRITE, LogOutcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgtool.formats.logs.boots import Boot, BootLog

__all__ = ["KNOWN_LINES", "KnownLine", "Turn", "ended", "line_notes", "read_log", "stopped"]


class Turn(Enum):
    """When a line that fails a boot is asked about, among the rules."""

    STOPPED = "before the rules on the boot ROM: what prints it was loaded well, and goes no further"
    ENDED = "behind the rules on crashes, which say more where there is one"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLine:
    """A line that means one thing by itself.

    Attributes:
        name: Short stable name, the kind of its message.
        marks: Words that it cannot be without, ``|`` between them.
        form: Expression for it.
        says: What the boot comes to, with ``{text}`` and ``{line}`` in its cause for the words of the log and
            the number of their line; or a remark, where the boot goes on.
        turn: When it is asked about; of no meaning for a remark.
        spoken: Whether only firmware prints it that runs.
        after_loading: Whether it means something only once an image was started.
        unless: Kind of a message of a firmware that has gone on all the same; empty for none.
    """

    name: str
    marks: str
    form: str
    says: LogOutcome | Remark
    turn: Turn = Turn.STOPPED
    spoken: bool = False
    after_loading: bool = False
    unless: str = ""


_OTHER_SIZE: Final = (
    actions.make_flash(FileRole.LOW_HALF, FileRole.HIGH_HALF, size=Unknown.SIZE),
    actions.flash(FileRole.WHOLE_FLASH),
)
"""Another flash size into the header, and the image to the board."""

_RTOS_TABLE: Final = Stretch(0x8000, SECTOR)
_SEE_TABLE: Final = (
    actions.read(FileRole.TABLE_SECTOR, _RTOS_TABLE),
    actions.inspect(FileRole.TABLE_SECTOR),
)
_TABLE_STOPS: Final = "The firmware stops at its partition table."
_TABLE_MISFIT: Final = LogOutcome(
    Verdict.PARTITION_TABLE,
    _TABLE_STOPS,
    "It says '{text}': the table of the firmware does not fit the flash size in the image header. Either the "
    "header has a smaller size than the chip, or the firmware is for a larger chip.",
    (
        cure("See which size the header has.", actions.inspect(FileRole.LOW_HALF)),
        cure(
            "Find the size of the chip, and make an image whose header says it.",
            actions.ask_chip(),
            *_OTHER_SIZE,
        ),
    ),
)

KNOWN_LINES: tuple[KnownLine, ...] = (
    # What stops a firmware as soon as it was loaded.
    KnownLine(
        name="too-small",
        marks="too small to",
        form=r"\bFlash size \((?P<bytes>\d{1,10})\) too small to support NodeMCU",
        says=LogOutcome(
            Verdict.TOO_SMALL_FLASH,
            "NodeMCU stops: it takes the flash for too small.",
            "It says '{text}'. NodeMCU 3.0 and later needs 1 MB, and takes the size from the image header. "
            "Either the header is wrong, or the chip is really that small: the chip itself tells its size.",
            (
                cure("Ask the chip for its size.", actions.ask_chip()),
                cure("If it has 1 MB or more: put that size into the header.", *_OTHER_SIZE),
                cure(
                    "If it has 512 KB: take NodeMCU 2.2 or earlier. See which version the file is.", INSPECT
                ),
            ),
        ),
    ),
    KnownLine(
        name="alignment",
        marks="invalid alignment",
        form=r"\bPartition \d{1,10} invalid alignment",
        says=LogOutcome(
            Verdict.PARTITION_TABLE,
            _TABLE_STOPS,
            "It says '{text}': an entry of NodeMCU's table lies outside the flash, overlaps another or does "
            "not begin at a sector. Mostly the header has a smaller size than the table was made for.",
            (cure("See table and header.", INSPECT_PAIR), _TABLE_MISFIT.cures[1]),
        ),
    ),
    KnownLine(
        name="invalid-table",
        marks="Invalid system",
        form=r"\bInvalid system partition table",
        says=_TABLE_MISFIT,
    ),
    KnownLine(
        name="table-too-large",
        marks="partition table size",
        form=r"\bThe partition table size is larger than flash size",
        says=_TABLE_MISFIT,
        unless="sdk-version",
    ),
    KnownLine(
        name="table-failed",
        marks="table_regist",
        form=r"\bsystem_partition_table_regist fail",
        says=_TABLE_MISFIT,
        unless="sdk-version",
    ),
    KnownLine(
        name="no-bootable",
        marks="No bootable app",
        form=r"\bNo bootable app partitions(?: in the partition table)?",
        after_loading=True,
        says=LogOutcome(
            Verdict.NO_IMAGE,
            "The boot loader of the RTOS SDK finds no application that it can start.",
            "It says '{text}'. The partition table is there. Where it has an application, none was written, "
            "or it is damaged, or it is for another address.",
            (
                cure(
                    "See where the table has applications, and write one there.",
                    *_SEE_TABLE,
                    actions.flash(PlacedFile(FileRole.APPLICATION, Unknown.ADDRESS)),
                ),
            ),
        ),
    ),
    KnownLine(
        name="no-rom",
        marks="No good rom",
        form=r"\bNo good rom available",
        after_loading=True,
        says=LogOutcome(
            Verdict.NO_IMAGE,
            "The boot loader rBoot finds no application that it can start.",
            "It says '{text}': at none of the places in its configuration is a whole image. A configuration "
            "that it writes itself has 0x2000, and 0x2000 behind the middle of the flash size in the header.",
            (
                cure(
                    "See what the configuration says, and write the application there.",
                    actions.read(FileRole.TABLE_SECTOR, Stretch(SECTOR, SECTOR)),
                    actions.inspect(FileRole.TABLE_SECTOR),
                    actions.flash(PlacedFile(FileRole.APPLICATION, Unknown.ADDRESS)),
                ),
            ),
        ),
    ),
    KnownLine(
        name="no-table",
        marks="table error",
        form=r"\bload partition table error ?!",
        after_loading=True,
        says=LogOutcome(
            Verdict.PARTITION_TABLE,
            "The boot loader of the RTOS SDK finds no partition table.",
            "It says '{text}'. The table is a file of its own, mostly for 0x8000, made by the build: it was "
            "not written, or to another address than the boot loader was built for.",
            (
                cure(
                    "Write it where the build says.",
                    actions.flash(PlacedFile(FileRole.PARTITION_TABLE, _RTOS_TABLE.start)),
                ),
                cure("See what stands there.", *_SEE_TABLE),
            ),
        ),
    ),
    # What a boot ends with that a crash would explain better.
    KnownLine(
        name="user-code-done",
        marks="user code done",
        form=r"\buser code done",
        turn=Turn.ENDED,
        after_loading=True,
        says=LogOutcome(
            Verdict.NOTHING_KNOWN,
            "The image was loaded and started, and then failed.",
            "Line {line} says '{text}': what was started has returned, which it must not. It is no firmware "
            "for this place, or its beginning is damaged.",
        ),
    ),
    KnownLine(
        name="python-files",
        marks="filesystem starting",
        form=r"\bThe filesystem starting at sector .{1,60} looks corrupt",
        turn=Turn.ENDED,
        spoken=True,
        says=LogOutcome(
            Verdict.FILE_SYSTEM,
            "MicroPython runs, but its file system is damaged.",
            "It says '{text}'. It was not written to its end, mostly as power was lost; the flash size in "
            "the header is wrong; or something else was written there.",
            (
                cure(
                    "Keep what is on the chip, and see which files can still be read.",
                    actions.read(FileRole.DUMP),
                    actions.extract_files(FileRole.DUMP),
                ),
                cure(
                    "Then erase the chip and write the firmware again; that loses every file on it.",
                    actions.erase(Area.ALL),
                    WRITE,
                ),
            ),
        ),
    ),
    # What a firmware says that goes on.
    KnownLine(
        name="format",
        marks="Formatting file",
        form=r"\bFormatting file system\. Please wait",
        spoken=True,
        says=Remark(
            "NodeMCU makes a new file system, which takes up to a minute, once. If it does so at every "
            "start: it was reset before it was done, or the flash size in the header is wrong."
        ),
    ),
    KnownLine(
        name="no-init-lua",
        marks="cannot open init",
        form=r"\b(?:lua: )?cannot open init\.lua\b",
        spoken=True,
        says=Remark("'cannot open init.lua' is in order for a new file system: there is no script yet."),
    ),
    KnownLine(
        name="adjust",
        marks="adjust flash",
        form=r"\bSelf adjust flash size",
        spoken=True,
        says=Remark(
            "NodeMCU sets the flash size in the header to that of the chip; 1.5.4.1 and later then restart "
            "once. That is in order."
        ),
    ),
    KnownLine(
        name="lfs-corrupted",
        marks="LFS image corr",
        form=r"\bLFS image corrupted",
        spoken=True,
        says=Remark(
            "The LFS image is damaged: load it again, from a file on the chip, or write it to its place.",
            (actions.flash(PlacedFile(FileRole.LFS, Area.LFS)),),
        ),
    ),
    KnownLine(
        name="last-param",
        marks="use last saved",
        form=r"\bsystem param error, ?use last saved param ?!?",
        spoken=True,
        says=Remark(
            "The SDK found its newest parameters damaged, mostly as power was lost while it wrote them, and "
            "took the ones before; nothing is to be done."
        ),
    ),
    KnownLine(
        name="radio-absent",
        marks="found, reconnect",
        form=r"\bno (?P<ssid>\S{1,40}) found, reconnect after \d{1,4}s",
        spoken=True,
        says=Remark("The wireless network was not found: a wrong name, too far away, or not on 2.4 GHz."),
    ),
    KnownLine(
        name="radio-refused",
        marks="auth fail|assoc fail|handshake",
        form=(r"\bauth fail\w{0,4}\b|\bassoc fail\w{0,4}\b|\b4-?way handshake (?:fail|time-?out)\w{0,4}\b"),
        spoken=True,
        after_loading=True,  # other programs print such words, too
        says=Remark("The access point refused the chip: mostly a wrong password."),
    ),
    KnownLine(
        name="radio-lost",
        marks="bcn_timo|beacon timeout",
        form=r"\bbcn_timo?e?ut\b|\bbeacon timeout\b",
        spoken=True,
        says=Remark("The access point was no longer heard: too far away, switched off, or a weak supply."),
    ),
)


def read_log(log: bytes | str) -> BootLog:
    """Read a log, with the lines of the table as messages."""
    return read(
        log,
        tuple(
            LineForm(row.name, row.marks, row.form, after_loading=row.after_loading, spoken=row.spoken)
            for row in KNOWN_LINES
        ),
    )


def stopped(boot: Boot) -> LogOutcome | None:
    """The firmware, or a boot loader, says why it goes no further."""
    return _outcome(boot, Turn.STOPPED)


def ended(boot: Boot) -> LogOutcome | None:
    """The boot ends with a line that tells why, and with no crash."""
    return _outcome(boot, Turn.ENDED)


def line_notes(boot: Boot) -> Iterator[Remark]:
    """Remarks on the lines of a firmware that goes on."""
    for row in KNOWN_LINES:
        if isinstance(row.says, Remark) and boot.has(row.name):
            yield row.says


def _outcome(boot: Boot, turn: Turn) -> LogOutcome | None:
    """What the first row of a turn says that the boot has the line of."""
    for row in KNOWN_LINES:
        if not isinstance(row.says, LogOutcome) or row.turn is not turn:
            continue
        if boot.has(row.name) and not (row.unless and boot.has(row.unless)):
            message = next(message for message in boot.messages if message.kind == row.name)
            cause = row.says.cause.format(text=message.text, line=message.line)
            return row.says._replace(cause=cause)
    return None
