"""Actions as commands: each verb is spelled, a spelling is a command line, and nothing below spells one."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import typer

import imgtool
from imgtool.cli.app import ALIASES, COMMANDS, build_app
from imgtool.cli.input.arguments import NAMED_PLACES
from imgtool.engine.boot_logs import explain
from imgtool.engine.cures import filled, worded
from imgtool.engine.spelling import Names, spelled
from imgtool.operations import actions
from imgtool.operations.actions import (
    Action,
    Area,
    FileRole,
    PlacedFile,
    Remark,
    Stretch,
    Unknown,
    Verb,
    cure,
)
from imgtool.operations.explain.messages.table import MESSAGES
from imgtool.operations.explain.values import LogOutcome
from tests.operations.explain.boot_log_cases import CASES

PACKAGE: Final = Path(imgtool.__file__).parent
SPELLED: Final = [
    (actions.inspect(FileRole.LOW_HALF, FileRole.HIGH_HALF), "imgtool inspect 0x00000.bin 0x10000.bin"),
    (actions.inspect("my file.bin"), "imgtool inspect 'my file.bin'"),
    (actions.extract_files(FileRole.DUMP), "imgtool extract dump.bin --files"),
    (
        actions.extract_files(FileRole.BACKUP, FileRole.FILES),
        "imgtool extract backup.bin --files -o files",
    ),
    (actions.split(FileRole.WHOLE_FLASH, FileRole.FLASH_PARTS), "imgtool split flash.bin -o parts"),
    (
        actions.make_flash(size="4MB", init_data="v05"),
        "imgtool fullimage --size 4MB --init-data v05 -o flash.bin",
    ),
    (
        actions.make_flash(FileRole.LOW_HALF, FileRole.HIGH_HALF, size=Unknown.SIZE),
        "imgtool fullimage --size SIZE 0x00000.bin 0x10000.bin -o flash.bin",
    ),
    (
        actions.move_files(FileRole.NEW, "4MB", Stretch(0x100000, 0x2FD000)),
        "imgtool patch NEW --flash-size 4MB --spiffs-addr 0x100000 --spiffs-size 0x2fd000 -o fixed.bin",
    ),
    (actions.flash(FileRole.FIRMWARE), "imgtool flash FILE"),
    (
        actions.flash(FileRole.FIRMWARE, mode="dout", frequency="40m"),
        "imgtool flash -fm dout -ff 40m FILE",
    ),
    (
        actions.flash(
            PlacedFile(FileRole.BOOT_LOADER, 0), PlacedFile(FileRole.SLOT_1, 0x1000), size=Unknown.SIZE
        ),
        "imgtool flash -fs SIZE 0 BOOT_LOADER 0x1000 user1.bin",
    ),
    (actions.flash(FileRole.NEW, init_data="v05"), "imgtool flash --init-data v05 NEW"),
    (
        actions.flash(FileRole.MOVED_FILES, fresh_settings=True),
        "imgtool flash --fresh-settings fixed.bin",
    ),
    (
        actions.flash(PlacedFile(FileRole.INIT_DATA_PART, 0x7C000)),
        "imgtool flash 0x7c000 parts/0x7c000.bin",
    ),
    (
        actions.flash(PlacedFile(FileRole.INIT_DATA_PART, Unknown.ADDRESS)),
        "imgtool flash ADDRESS parts/ADDRESS.bin",
    ),
    (actions.flash(PlacedFile(FileRole.LFS, Area.LFS)), "imgtool flash @lfs FILE"),
    (actions.flash_init_data("v05"), "imgtool flash @init-data v05"),
    (actions.flash_init_data("default"), "imgtool flash @init-data default"),
    (actions.verify(FileRole.FIRMWARE), "imgtool verify FILE"),
    (actions.read(FileRole.BACKUP), "imgtool read -o backup.bin"),
    (actions.read(FileRole.FLASH_START, Stretch(0, 0x10000)), "imgtool read 0 0x10000 -o head.bin"),
    (actions.erase(Area.ALL), "imgtool erase all"),
    (actions.erase(Area.FILE_SYSTEM), "imgtool erase filesystem"),
    (actions.erase(Area.RF_CAL), "imgtool erase rf-cal"),
    (actions.erase(Area.LFS), "imgtool erase lfs"),
    (actions.erase(Area.SYSTEM_PARAM), "imgtool erase system-param"),
    (actions.erase(Stretch(0x3FB000, 0x1000)), "imgtool erase 0x3fb000 0x1000"),
    (actions.erase(Stretch(Unknown.RF_CAL_ADDRESS, 0x1000)), "imgtool erase RF_CAL_ADDRESS 0x1000"),
    (actions.ask_chip(), "imgtool id"),
    (actions.ask_chip(waiting=True), "imgtool id --reset none"),
    (actions.record_log(74880), "imgtool monitor -b 74880 --log boot.log"),
    (actions.name_functions(), "imgtool explain --elf FIRMWARE.elf LOG"),
]
# What rules that no log here brings about name, too.
IN_TABLE: Final = [
    action
    for row in MESSAGES
    for said in (row.says, row.once, row.leads_to)
    for action in (
        said.actions
        if isinstance(said, Remark)
        else tuple(each for said in said.cures for each in said.actions)
        if isinstance(said, LogOutcome)
        else ()
    )
]


def parse(command: str) -> None:
    """Parse a command without running it; what the command line does not have raises."""
    program, *words = shlex.split(command)
    group: Any = typer.main.get_command(build_app(words))
    assert program == "imgtool"
    group.commands[words[0]].make_context(words[0], words[1:])


def test_every_verb_is_spelled() -> None:
    assert {action.verb for action, _ in SPELLED} == set(Verb)


@pytest.mark.parametrize(("action", "command"), SPELLED, ids=[command for _, command in SPELLED])
def test_an_action_is_a_command_line(action: Action, command: str) -> None:
    assert spelled(action) == command
    parse(command)


def test_words_that_commands_judge_themselves_are_theirs() -> None:
    group: Any = typer.main.get_command(build_app(["erase"]))
    choices = re.split(r"[ ,.]+", group.commands["erase"].params[0].help)
    erased = {command.split()[2] for _, command in SPELLED if command.startswith("imgtool erase ")}
    places = {word for _, command in SPELLED for word in command.split() if word.startswith("@")}

    named = {word for word in erased if re.fullmatch("[a-z-]+", word)}
    assert named == {"all", "filesystem", "lfs", "rf-cal", "system-param"}
    assert named == {"all", "filesystem", "lfs", "rf-cal", "system-param"}
    assert named <= set(choices)
    assert places <= set(NAMED_PLACES)


@pytest.mark.parametrize("role", FileRole)
def test_every_file_has_a_name(role: FileRole) -> None:
    assert spelled(actions.inspect(role)).removeprefix("imgtool inspect ").strip()


def test_names_of_the_user() -> None:
    names = Names("'my file.bin'", "kept.bin", "-p /dev/ttyUSB1 ")

    assert spelled(actions.flash(FileRole.NEW), names) == "imgtool flash -p /dev/ttyUSB1 'my file.bin'"
    assert spelled(actions.flash_init_data("v08"), names) == "imgtool flash -p /dev/ttyUSB1 @init-data v08"
    assert spelled(actions.read(FileRole.BACKUP), names) == "imgtool read -p /dev/ttyUSB1 -o kept.bin"
    for action, _ in SPELLED:
        parse(spelled(action, names))


def test_a_cure_gets_its_commands() -> None:
    bare = cure("Write it again, and compare.", actions.flash(FileRole.FIRMWARE), actions.ask_chip())

    assert bare.commands == ()
    assert filled(bare) == (bare.text, ("imgtool flash FILE", "imgtool id"), bare.actions)


def test_a_remark_ends_with_its_command() -> None:
    assert worded(Remark("All is well.")) == "All is well."
    assert worded(Remark("Ask the chip.", (actions.ask_chip(),))) == "Ask the chip: imgtool id."


def test_what_the_rules_on_logs_name_is_spelled() -> None:
    named = {
        action: command
        for case in CASES
        for found in explain(case.log).cures
        for action, command in zip(found.actions, found.commands, strict=True)
    }
    named |= {action: spelled(action) for action in IN_TABLE}

    assert len(named) > 20
    for command in sorted(set(named.values())):
        parse(command)


# Nothing below spells one.

WORDS: Final = "|".join(sorted({*COMMANDS, *ALIASES, *(name.replace("-", "_") for name in ALIASES)}))
COMMAND: Final = re.compile(
    rf"\bimgtool (?:{WORDS})\b|\bimgtool $|\besptool(?:\.py)? (?:{WORDS})\b|(?<![\w-])--[a-z][a-z-]+"
)
BELOW: Final = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in ("cli", "engine", "__main__.py")
)


def strings(path: Path) -> list[str]:
    """The strings of a module that a user may get to read: all but docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


@pytest.mark.parametrize("path", BELOW, ids=[path.relative_to(PACKAGE).as_posix() for path in BELOW])
def test_no_string_below_the_engine_spells_a_command(path: Path) -> None:
    assert [text for text in strings(path) if COMMAND.search(text)] == []


@pytest.mark.parametrize(
    "text",
    ["imgtool flash FILE", "or imgtool inspect shows", "see --force", "esptool write_flash 0 x", "imgtool "],
)
def test_such_a_string_is_found(text: str) -> None:
    assert COMMAND.search(text)
