"""A board in memory as an object: a program of a few instructions, real NodeMCU where there are images."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pytest

from imgtool import FolderFile, InputFile, NotSaidError, UsageError, VirtualBoard
from imgtool.testing import board_with
from tests.support import real
from tests.virtual.board.test_own_rom import PRINTS, TEXTS, image, texts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Command

MB: Final = 1 << 20
NODEMCU_3: Final = "nodemcu/heikomat-firmware-lfs.bin"
SCRIPT: Final = """
/powered by Lua/
> print(1+1)
2
> dofile("hello.lua")
hello\t42
> file.open("x","w") file.writeline("kept") file.close()
:restart
/powered by Lua/
> file.open("x") print(file.read()) file.close()
kept
"""


def small() -> VirtualBoard:
    return VirtualBoard(image(PRINTS, texts(TEXTS)).ljust(MB, b"\xff"))


def test_what_is_said_is_waited_for_once() -> None:
    board = small()
    board.power_on()

    assert board.wait_for("answer: ").endswith("answer: ")
    assert board.wait_for(re.compile(r"\d+\|beef")) == "042|beef"
    with pytest.raises(NotSaidError) as caught:
        board.wait_for("answer", seconds=0.5)
    assert caught.value.data["expected"] == "answer"
    assert caught.value.lines == ("user code done",)
    assert board.text.count("answer") == 1


def test_each_start_says_the_same() -> None:
    board = small()
    board.power_on()
    one = board.run(0.5)
    board.power_on()

    # The second one is a reset.
    assert board.run(0.5) == one.replace("rst cause:1", "rst cause:2")
    assert board.seconds >= 1.0


def test_without_a_prompt_a_boot_is_an_error_that_says_so() -> None:
    with pytest.raises(NotSaidError, match="in 1 s of the chip's time") as caught:
        small().boot(1)
    assert caught.value.wanted == "Lua's prompt"


def test_the_flash_is_what_it_was() -> None:
    assert small().flash == image(PRINTS, texts(TEXTS)).ljust(MB, b"\xff")
    assert small().files == {}


@pytest.mark.parametrize("size", [0, 100, MB - 1, 0x40000])
def test_a_flash_that_no_board_has(size: int) -> None:
    with pytest.raises(UsageError, match="no board has a flash of that size"):
        VirtualBoard(bytes(size))


# Real NodeMCU, without a boot ROM.


def test_nodemcu_answers_keeps_files_and_starts_again() -> None:
    firmware = InputFile("nodemcu.bin", real(NODEMCU_3))
    board = VirtualBoard.of(firmware, files=[FolderFile("hello.lua", b"print('hello', 6*7)\n")])

    assert "powered by Lua" in board.boot()
    assert board.ask("print(1+1)") == "2"
    assert board.ask('dofile("hello.lua")') == "hello\t42"
    board.ask('file.open("x","w") file.writeline("kept") file.close()')
    assert "powered by Lua" in board.restart()
    assert board.ask('file.open("x") print(file.readline()) file.close()').strip() == "kept"
    assert board.files == {"hello.lua": b"print('hello', 6*7)\n", "x": b"kept\n"}


@pytest.mark.parametrize(("script", "code"), [(SCRIPT, 0), (SCRIPT.replace("\n2\n", "\n3\n"), 1)])
def test_a_script_gets_its_answers(imgtool: Command, folder: Path, script: str, code: int) -> None:
    (folder / "nodemcu.bin").write_bytes(real(NODEMCU_3))
    (folder / "lua").mkdir()
    (folder / "lua" / "hello.lua").write_text("print('hello', 6*7)\n", encoding="utf-8")
    (folder / "s.txt").write_text(script, encoding="utf-8")
    run = imgtool("try", "nodemcu.bin", "--files", "lua", "--script", "s.txt", "--json")

    (result,) = json.loads(run.out)["results"]
    assert run.code == code
    assert result["failure"] == (
        None if not code else {"line": 4, "typed": "print(1+1)", "expected": "3", "found": "2"}
    )


def test_a_board_of_files(folder: Path) -> None:
    (folder / "nodemcu.bin").write_bytes(real(NODEMCU_3))
    (folder / "lua" / "lib").mkdir(parents=True)
    (folder / "lua" / "lib" / "a.lua").write_bytes(b"return 1\n")

    board = board_with("nodemcu.bin", files="lua", size="1MB")

    assert (len(board.flash), board.files) == (MB, {"lib/a.lua": b"return 1\n"})
