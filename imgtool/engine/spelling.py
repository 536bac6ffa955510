"""How a terminal spells an action: one row for each verb, one name for each file.

Not when an action helps, which the rules in :mod:`imgtool.operations` say.  A page that has buttons takes the
actions themselves.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.operations.actions import Area, FileRole, PlacedFile, Stretch, Unknown, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgtool.operations.actions import Action

__all__ = ["Names", "spelled"]


class Names(NamedTuple):
    """What to call things in commands: words for a shell.

    Attributes:
        new: The new image, as the command line has it.
        backup: A file for what is on the device now.
        port: ``-p PORT`` with a space behind it; empty for the port that is found.
    """

    new: str = "NEW"
    backup: str = "backup.bin"
    port: str = ""


# Capitals stand for a name or a value of the user's own.
_FILES: Final[Mapping[FileRole, str]] = {
    FileRole.FIRMWARE: "FILE",
    FileRole.LOW_HALF: "0x00000.bin",
    FileRole.HIGH_HALF: "0x10000.bin",
    FileRole.BOOT_LOADER: "BOOT_LOADER",
    FileRole.SLOT_1: "user1.bin",
    FileRole.SLOT_2: "user2.bin",
    FileRole.APPLICATION: "APPLICATION.bin",
    FileRole.PARTITION_TABLE: "partitions.bin",
    FileRole.INIT_DATA: "esp_init_data_default_v05.bin",
    FileRole.LFS: "FILE",
    FileRole.WHOLE_FLASH: "flash.bin",
    FileRole.FLASH_PARTS: "parts",
    FileRole.MOVED_FILES: "fixed.bin",
    FileRole.FLASH_START: "head.bin",
    FileRole.TABLE_SECTOR: "table.bin",
    FileRole.DUMP: "dump.bin",
    FileRole.FILES: "files",
    FileRole.ELF: "FIRMWARE.elf",
    FileRole.LOG: "LOG",
}
_RECORDED: Final = "boot.log"
_UNKNOWN: Final[Mapping[Unknown, str]] = {
    Unknown.ADDRESS: "ADDRESS",
    Unknown.RF_CAL_ADDRESS: "RF_CAL_ADDRESS",
    Unknown.SIZE: "SIZE",
}
_ERASED: Final[Mapping[Area, str]] = {
    Area.ALL: "all",
    Area.FILE_SYSTEM: "filesystem",
    Area.LFS: "lfs",
    Area.RF_CAL: "rf-cal",
    Area.SYSTEM_PARAM: "system-param",
}
_PLACES: Final[Mapping[Area, str]] = {Area.LFS: "@lfs"}


def spelled(action: Action, names: Names | None = None) -> str:
    """An action as a command for a terminal.

    Args:
        action: Which.
        names: What the files and the board of the user are called.
    """
    return f"imgtool {_COMMANDS[action.verb](action, names or Names())}"


def _flash(action: Action, names: Names) -> str:
    if action.init_data is not None and not action.files:
        return f"flash {names.port}@init-data {action.init_data}"
    words = [
        *([] if action.mode is None else ["-fm", action.mode]),
        *([] if action.frequency is None else ["-ff", action.frequency]),
        *([] if action.flash_size is None else ["-fs", _value(action.flash_size)]),
        *([] if action.init_data is None else ["--init-data", action.init_data]),
        *(["--fresh-settings"] if action.fresh_settings else []),
        *(["--keep-files"] if action.keep_files else []),
        *(_placed(file, names) for file in action.files),
    ]
    return f"flash {names.port}{' '.join(words)}"


def _make_flash(action: Action, names: Names) -> str:
    words = [
        "fullimage --size",
        _value(action.flash_size),
        *([] if action.init_data is None else ["--init-data", action.init_data]),
        *(_placed(file, names) for file in action.files),
    ]
    return f"{' '.join(words)} -o {_output(action, names)}"


def _move_files(action: Action, names: Names) -> str:
    start, size = action.files_area or Stretch(Unknown.ADDRESS, 0)
    return (
        f"patch {_files(action, names)} --flash-size {_value(action.flash_size)} "
        f"--spiffs-addr {_number(start)} --spiffs-size 0x{size:x} -o {_output(action, names)}"
    )


def _read(action: Action, names: Names) -> str:
    area = f"{_area(action)} " if action.area is not None else ""
    return f"read {names.port}{area}-o {_output(action, names)}"


def _extract_files(action: Action, names: Names) -> str:
    folder = "" if action.output is None else f" -o {_output(action, names)}"
    return f"extract {_files(action, names)} --files{folder}"


def _name_functions(action: Action, names: Names) -> str:
    program, log = (_placed(file, names) for file in action.files)
    return f"explain --elf {program} {log}"


_COMMANDS: Final[Mapping[Verb, Callable[[Action, Names], str]]] = {
    Verb.INSPECT: lambda action, names: f"inspect {_files(action, names)}",
    Verb.EXTRACT_FILES: _extract_files,
    Verb.SPLIT: lambda action, names: f"split {_files(action, names)} -o {_output(action, names)}",
    Verb.MAKE_FLASH: _make_flash,
    Verb.MOVE_FILES: _move_files,
    Verb.FLASH: _flash,
    Verb.VERIFY: lambda action, names: f"verify {names.port}{_files(action, names)}",
    Verb.READ: _read,
    Verb.ERASE: lambda action, names: f"erase {names.port}{_area(action)}",
    Verb.ASK_CHIP: lambda action, names: f"id {names.port}{'--reset none' if action.waiting else ''}".strip(),
    Verb.RECORD_LOG: lambda action, names: f"monitor {names.port}-b {action.baud} --log {_RECORDED}",
    Verb.NAME_FUNCTIONS: _name_functions,
}


def _files(action: Action, names: Names) -> str:
    return " ".join(_placed(file, names) for file in action.files)


def _placed(placed: PlacedFile, names: Names) -> str:
    """A file with its place in front of it, where it has one."""
    file, place = placed
    if file is FileRole.INIT_DATA_PART:  # split names its files by their addresses
        address = f"0x{place:05x}" if isinstance(place, int) else _UNKNOWN[Unknown.ADDRESS]
        return f"{address} {_FILES[FileRole.FLASH_PARTS]}/{address}.bin"
    name = _name(file, names)
    if place is None:
        return name
    return f"{_PLACES[place] if isinstance(place, Area) else _number(place)} {name}"


def _name(file: FileRole | str, names: Names) -> str:
    if isinstance(file, str):
        return shlex.quote(file)
    own = {FileRole.NEW: names.new, FileRole.BACKUP: names.backup}
    return own[file] if file in own else _FILES[file]


def _output(action: Action, names: Names) -> str:
    return "" if action.output is None else _name(action.output, names)


def _area(action: Action) -> str:
    area = action.area
    if isinstance(area, Area):
        return _ERASED[area]
    return "" if area is None else f"{_number(area.start)} 0x{area.size:x}"


def _number(number: int | Unknown) -> str:
    if isinstance(number, Unknown):
        return _UNKNOWN[number]
    return f"0x{number:x}" if number else "0"


def _value(size: str | Unknown | None) -> str:
    return _UNKNOWN[size] if isinstance(size, Unknown) else size or _UNKNOWN[Unknown.SIZE]
