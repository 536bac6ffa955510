"""What can be done about something, as data: actions with their parameters, and the cures made of them.

Rules name actions; nothing here or elsewhere below :mod:`imgtool.engine` knows how a command line spells one.
One class for all of them, as ``explain`` is to start fast; the functions say which parameters a verb has.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

__all__ = [
    "Action",
    "Area",
    "Cure",
    "FileRole",
    "PlacedFile",
    "Remark",
    "Stretch",
    "Unknown",
    "Verb",
    "ask_chip",
    "cure",
    "erase",
    "extract_files",
    "flash",
    "flash_init_data",
    "inspect",
    "make_flash",
    "move_files",
    "name_functions",
    "read",
    "record_log",
    "split",
    "verify",
]


class Verb(Enum):
    """What an action does."""

    INSPECT = "inspect"
    """Say of files what they are, and whether they are whole."""
    EXTRACT_FILES = "extract files"
    """Take the files out of the file systems of a dump."""
    SPLIT = "split"
    """Cut an image of a whole flash into a file for each of its parts."""
    MAKE_FLASH = "make flash"
    """Make an image of a whole flash."""
    MOVE_FILES = "move files"
    """Give the partition table of an image another place for its file system."""
    FLASH = "flash"
    """Write files to the flash of the board."""
    VERIFY = "verify"
    """Compare the flash of the board with a file."""
    READ = "read"
    """Read the flash of the board into a file."""
    ERASE = "erase"
    """Erase the flash of the board, or a part of it."""
    ASK_CHIP = "ask chip"
    """Ask the chip which it is, and how large its flash is."""
    RECORD_LOG = "record log"
    """Record what the board prints."""
    NAME_FUNCTIONS = "name functions"
    """Read a log once more, with the program that names the functions of a crash."""


class FileRole(Enum):
    """A file by what it is for; which name it has is for those to say who spell the action."""

    FIRMWARE = "the firmware as the user has it"
    LOW_HALF = "the half of a firmware for 0"
    HIGH_HALF = "the half of a firmware for 0x10000"
    BOOT_LOADER = "Espressif's boot loader"
    SLOT_1 = "a firmware for the first slot"
    SLOT_2 = "a firmware for the second slot"
    APPLICATION = "an application for a boot loader"
    PARTITION_TABLE = "the partition table of an RTOS SDK"
    INIT_DATA = "the init data of an SDK"
    LFS = "an image of Lua's flash store"
    WHOLE_FLASH = "an image of the whole flash, as it was made"
    FLASH_PARTS = "a folder for the parts of that"
    INIT_DATA_PART = "the init data among those parts"
    MOVED_FILES = "an image with another place for its file system"
    FLASH_START = "the first bytes of the flash, as they were read"
    TABLE_SECTOR = "the sector of the partition table, as it was read"
    DUMP = "all of the flash, as it was read"
    BACKUP = "all of the flash, kept before an upgrade"
    FILES = "a folder for files of a file system"
    NEW = "the new firmware of an upgrade"
    ELF = "the linked program"
    LOG = "the log"


class Unknown(Enum):
    """A parameter that nothing told: the user has to find it."""

    ADDRESS = "flash address"
    RF_CAL_ADDRESS = "flash address of the RF-cal sector"
    SIZE = "flash size"


class Area(Enum):
    """A part of the flash that a chip or a layout knows the place of."""

    ALL = "all"
    FILE_SYSTEM = "file system"
    LFS = "LFS"
    RF_CAL = "RF calibration"
    SYSTEM_PARAM = "the SDK's parameters"


class Stretch(NamedTuple):
    """A part of the flash by its place: flash address, bytes."""

    start: int | Unknown
    size: int


class PlacedFile(NamedTuple):
    """A file, by its role or by the name that the user gave, and where it goes.

    Attributes:
        file: Which.
        place: Flash address, or the area that is for it; None where the file itself tells.
    """

    file: FileRole | str
    place: int | Unknown | Area | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to do, with the parameters that its verb has.

    Attributes:
        verb: What.
        files: What it works on.
        output: The file or folder that it makes.
        area: What of the flash is erased or read.
        flash_size: A flash size by its name, such as ``4MB``.
        mode: SPI mode for the header: ``dout``, ``dio``, ``qio``, ``qout``.
        frequency: SPI frequency for the header, such as ``40m``.
        init_data: Which init data is put in, such as ``v05``; where no files are flashed, it alone.
        fresh_settings: Whether the settings on the board are given up.
        keep_files: Whether the files on the board are carried over.
        baud: Speed of the line.
        files_area: The new place of a file system.
        waiting: Whether the chip waits for a flasher already, and is not to be reset.
    """

    verb: Verb
    files: tuple[PlacedFile, ...] = ()
    output: FileRole | None = None
    area: Area | Stretch | None = None
    flash_size: str | Unknown | None = None
    mode: str | None = None
    frequency: str | None = None
    init_data: str | None = None
    fresh_settings: bool = False
    keep_files: bool = False
    baud: int | None = None
    files_area: Stretch | None = None
    waiting: bool = False


class Cure(NamedTuple):
    """What to do: a sentence that says when it helps, and what is to be done, which may be nothing.

    Attributes:
        text: The sentence.
        commands: The same actions as commands for a terminal; filled in by the engine.
        actions: What is to be done, in order.
    """

    text: str
    commands: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()


class Remark(NamedTuple):
    """What else is to be said: sentences, and what can be done about it.

    Attributes:
        text: The sentences.
        actions: What can be done; the engine puts it behind the text.
    """

    text: str
    actions: tuple[Action, ...] = ()


def cure(text: str, *actions: Action) -> Cure:
    """A cure as rules give it."""
    return Cure(text, actions=actions)


def _plain(files: tuple[FileRole | str, ...]) -> tuple[PlacedFile, ...]:
    return tuple(PlacedFile(file) for file in files)


def inspect(*files: FileRole | str) -> Action:
    """Look at files."""
    return Action(verb=Verb.INSPECT, files=_plain(files))


def extract_files(dump: FileRole, output: FileRole | None = None) -> Action:
    """List the files in the file systems of a dump, and write them into a folder if one is given."""
    return Action(verb=Verb.EXTRACT_FILES, files=_plain((dump,)), output=output)


def split(image: FileRole, output: FileRole) -> Action:
    """Cut an image into its parts."""
    return Action(verb=Verb.SPLIT, files=_plain((image,)), output=output)


def make_flash(*halves: FileRole, size: str | Unknown, init_data: str | None = None) -> Action:
    """Make an image of a whole flash; of what the folder holds, where no halves are named."""
    return Action(
        verb=Verb.MAKE_FLASH,
        files=_plain(halves),
        output=FileRole.WHOLE_FLASH,
        flash_size=size,
        init_data=init_data,
    )


def move_files(image: FileRole, size: str, place: Stretch) -> Action:
    """Give an image another place for its file system.

    Args:
        image: Which.
        size: The flash size that goes into its header.
        place: Where the file system is to be.
    """
    return Action(
        verb=Verb.MOVE_FILES,
        files=_plain((image,)),
        output=FileRole.MOVED_FILES,
        flash_size=size,
        files_area=place,
    )


def flash(
    *files: FileRole | PlacedFile,
    size: str | Unknown | None = None,
    mode: str | None = None,
    frequency: str | None = None,
    init_data: str | None = None,
    fresh_settings: bool = False,
    keep_files: bool = False,
) -> Action:
    """Write files to the board; what is None stays as the files and the chip have it.

    Args:
        files: What, and where to.
        size: The flash size for the header.
        mode: The SPI mode for it.
        frequency: The SPI frequency for it.
        init_data: Which init data to write, too.
        fresh_settings: Whether the settings on the board are given up.
        keep_files: Whether the files on the board are carried over.
    """
    return Action(
        verb=Verb.FLASH,
        files=tuple(file if isinstance(file, PlacedFile) else PlacedFile(file) for file in files),
        flash_size=size,
        mode=mode,
        frequency=frequency,
        init_data=init_data,
        fresh_settings=fresh_settings,
        keep_files=keep_files,
    )


def flash_init_data(which: str) -> Action:
    """Write init data to its place on the board, and nothing else.

    Args:
        which: A published set such as ``v05``, or ``default`` for what the firmware on the board needs.
    """
    return Action(verb=Verb.FLASH, init_data=which)


def verify(file: FileRole) -> Action:
    """Compare the board with a file."""
    return Action(verb=Verb.VERIFY, files=_plain((file,)))


def read(output: FileRole, area: Stretch | None = None) -> Action:
    """Read a stretch of the flash into a file; None for all of it."""
    return Action(verb=Verb.READ, output=output, area=area)


def erase(area: Area | Stretch) -> Action:
    """Erase a part of the flash."""
    return Action(verb=Verb.ERASE, area=area)


def ask_chip(*, waiting: bool = False) -> Action:
    """Ask the chip which it is; ``waiting`` says that it waits for a flasher already."""
    return Action(verb=Verb.ASK_CHIP, waiting=waiting)


def record_log(baud: int) -> Action:
    """Record what the board prints at a speed."""
    return Action(verb=Verb.RECORD_LOG, output=FileRole.LOG, baud=baud)


def name_functions() -> Action:
    """Read the log once more with the linked program."""
    return Action(verb=Verb.NAME_FUNCTIONS, files=_plain((FileRole.ELF, FileRole.LOG)))
