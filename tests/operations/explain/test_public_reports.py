"""Logs of public reports, in a folder beside the real images; each has an answer that people found.

They are nobody's to copy, so they are not in the project: the tests are skipped where the folder is not
there.  The same kinds, written anew, are in boot_log_cases.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from imgtool.engine.boot_logs import explain
from imgtool.operations.explain.values import Verdict

if TYPE_CHECKING:
    from pathlib import Path


class Answer(NamedTuple):
    """What must be said of a report: the verdict, words, and commands that must be among the cures."""

    folder: str
    verdict: Verdict
    words: tuple[str, ...]
    commands: tuple[str, ...] = ()


ANSWERS: Final = (
    Answer(
        "01-rboot-no-rom",
        Verdict.NO_IMAGE,
        ("rBoot finds no application", "0x2000", "configuration itself is wrong"),
        ("imgtool flash ADDRESS APPLICATION.bin", "imgtool erase 0x1000 0x1000"),
    ),
    Answer(
        "03-rtos-loader-app-bin-error",
        Verdict.PARTITION_TABLE,
        ("0xa6000", "569,088 bytes", "0x130f00", "1 MB"),
    ),
    Answer(
        "04-rtos-loader-error-then-cut-boot",
        Verdict.PARTITION_TABLE,
        ("0x130f00", "is cut before it says anything"),
    ),
    Answer("06-esphome-safe-mode", Verdict.SAFE_MODE, ("10 starts", "in the starts before")),
    Answer(
        "08-micropython-fs-corrupt",
        Verdict.FILE_SYSTEM,
        ("MicroPython", "stops in its setup"),
        ("imgtool read -o dump.bin", "imgtool erase all", "imgtool flash FILE"),
    ),
    Answer(
        "10-micropython-size-fix-loop",
        Verdict.FLASH_SIZE,
        ("again and again",),
        ("imgtool flash -fs 4MB FILE",),
    ),
    Answer(
        "11-nodemcu-format-fails",
        Verdict.FILE_SYSTEM,
        ("formatting failed", "1 sector", "0x7a000", "fewer modules"),
    ),
    Answer(
        "13-open-rtos-assert",
        Verdict.PANIC,
        ("assertion of FreeRTOS", "queue.c 1406"),
        ("imgtool explain --elf FIRMWARE.elf LOG",),
    ),
    Answer(
        "14-only-eboot-spoke",
        Verdict.UNFINISHED,
        ("cannot be told", "115200 baud"),
        ("imgtool monitor -b 115200 --log boot.log",),
    ),
    Answer("16-isr-not-in-iram", Verdict.PANIC, ("IRAM_ATTR", "library")),
    Answer(
        "18-micropython-16mb-rf-cal",
        Verdict.FLASH_SIZE,
        ("MicroPython", "Init data itself is not the trouble"),
        ("imgtool flash -fs 4MB FILE",),
    ),
    Answer(
        "20-rboot-says-flash-size",
        Verdict.INIT_DATA,
        ("1MB", "0xfc000", "0xfb000"),
        ("imgtool flash @init-data v05",),
    ),
    Answer(
        "36-nodemcu-flash-read-errors",
        Verdict.FLASH_SIZE,
        ("at or behind the end", "header"),
        ("imgtool id",),
    ),
    Answer(
        "38-lfs-reload-then-loop",
        Verdict.BOOT_LOOP,
        ("since its LFS was updated", "made for another build"),
        ("imgtool erase lfs", "imgtool flash @lfs FILE"),
    ),
)
PAIRED: Final = ("11-nodemcu-format-fails", "36-nodemcu-flash-read-errors", "38-lfs-reload-then-loop")


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.folder)
def test_a_report_gets_the_right_answer(corpus: Path, answer: Answer) -> None:
    log = corpus.parent / "cases" / answer.folder / "boot.log"
    if not log.is_file():
        pytest.skip(f"{log} is not there")
    result = explain(log.read_bytes())
    commands = [command for cure in result.cures for command in cure.commands]
    said = "\n".join((result.sentence, result.cause, *(cure.text for cure in result.cures), *result.notes))

    assert result.verdict is answer.verdict
    assert not result.ok
    assert not result.foreign
    assert [word for word in answer.words if word not in said] == []
    assert [command for command in answer.commands if command not in commands] == []
    if answer.folder not in PAIRED:
        assert [command for command in commands if "0x10000.bin" in command or "fullimage" in command] == []
