"""The job behind ``imgtool build``, without the command line; the command prints the same document."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath

import pytest

from imgtool.device.events import Event
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.build import BuildRequest, build
from imgtool.errors import FormatError, InterruptedRunError, LayoutError, UsageError
from imgtool.operations.actions import PlacedFile, Verb
from imgtool.operations.building import images
from tests.support import IMAGES, Command, Put

PAIR = {file.suffix: file.data for file in images.build(IMAGES["elf/app.elf"]).files}
V05 = IMAGES["init-data/v05.bin"]


def request(name: str = "app.elf", **more: object) -> BuildRequest:
    return BuildRequest(elf=InputFile(name, IMAGES[f"elf/{PurePath(name).name}"]), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (request(), []),
        (request(use_segments=True, output="out-"), ["--use-segments", "-o", "out-"]),
        (request(output="there", into_folder=True), ["-o", "there"]),
        (request(output="new/", into_folder=True), ["-o", "new/"]),
        (request(merge=True), ["--merge"]),
        (request(merge=True, output="there", into_folder=True), ["--merge", "-o", "there"]),
        (request(merge=True, output="whole.bin", mode="dio"), ["--merge", "-o", "whole.bin", "-fm", "dio"]),
        (request(old_size="32m", dry_run=True), ["-fs", "32m", "--dry-run"]),
        (request("user1.elf", version=2), ["--version", "2"]),
        (request("user2.elf", version=2, slot=2, output="u"), ["--version", "2", "--slot", "2", "-o", "u"]),
        (request("ram.elf"), []),
        (
            request(fullimage="4mb", init_fields={"crystal_26m_en": "40MHz"}),
            ["--fullimage", "4mb", "--set", "crystal_26m_en=40MHz"],
        ),
        (
            request(fullimage="1MB", init_file=InputFile("init.bin", V05)),
            ["--fullimage", "1MB", "--init-data", "init.bin"],
        ),
        (request(fullimage="1MB", init_data="none"), ["--fullimage", "1MB", "--init-data", "none"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_command_prints_the_document_and_writes_the_outputs(
    put: Put, folder: Path, imgtool: Command, wanted: BuildRequest, words: list[str]
) -> None:
    (folder / "there").mkdir()
    put("init.bin", V05)
    put(wanted.elf.name, wanted.elf.data)
    run = imgtool("build", wanted.elf.name, *words, "--json")
    result = build(wanted)

    assert (json.loads(run.out), run.code) == (result.document, result.code)
    assert {each.name: Path(each.name).read_bytes() for each in result.outputs} == dict(result.outputs)
    assert bool(result.outputs) == (not wanted.dry_run)
    assert [each.path for each in result.files] == [
        row["path"] for row in result.document["results"][0]["files"]
    ]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (request("deep/app.elf"), ["deep/app.elf-0x00000.bin", "deep/app.elf-0x10000.bin"]),
        (request(output="app/"), ["app/0x00000.bin", "app/0x10000.bin"]),
        (request(output="app"), ["app0x00000.bin", "app0x10000.bin"]),
        (request(output="app", into_folder=True), ["app/0x00000.bin", "app/0x10000.bin"]),
        (request("deep/app.elf", merge=True), ["deep/app.bin"]),
        (request("deep/app.elf", merge=True, output="a", into_folder=True), ["a/app.bin"]),
        (request("deep/app.elf", fullimage="2MB"), ["deep/app-2MB.bin"]),
        (request("deep/user1.elf", version=2), ["deep/user1-0x01000.bin"]),
    ],
)
def test_names(wanted: BuildRequest, names: list[str]) -> None:
    assert [each.path for each in build(wanted).files] == [name.replace("/", os.sep) for name in names]


def test_it_does_not_look_at_folders(folder: Path) -> None:
    (folder / "there").mkdir()

    assert [each.path for each in build(request(output="there")).files] == [
        "there0x00000.bin",
        "there0x10000.bin",
    ]


def test_what_is_built() -> None:
    result = build(request())

    assert dict(result.outputs) == {f"app.elf-{suffix}": data for suffix, data in PAIR.items()}
    assert (result.ok, result.code, result.built.pieces[0].data) == (True, 0, PAIR["0x00000.bin"])


def test_words() -> None:
    words = build(request()).words
    memory, sections, limits, files = words.tables
    (cure,) = words.cures
    (action,) = cure.actions

    assert words.verdict == "version 1, qio, 40m, 1MB, entry point 0x40100004"
    assert memory.rows[0] == ("IRAM", "23,680", "9,088", "32,768", "72%")
    assert [row[0] for row in limits.rows] == [row[0] for row in memory.rows]
    assert any(row[-1] == ".bss, not in the image" for row in sections.rows)
    assert [row[-1] for row in files.rows] == ["app.elf-0x00000.bin", "app.elf-0x10000.bin"]
    assert (cure.text, cure.commands) == (
        "To flash them:",
        ("imgtool flash app.elf-0x00000.bin app.elf-0x10000.bin",),
    )
    assert (action.verb, action.files[1]) == (Verb.FLASH, PlacedFile("app.elf-0x10000.bin", 0x10000))


def test_words_of_a_dry_run() -> None:
    words = build(request("user1.elf", version=2, old_size="8m", dry_run=True)).words

    assert (words.cures, words.tables[-1].head[-1]) == ((), "file, not written")
    assert ["megabits" in note for note in words.notes] == [True]


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        (request(version=4), UsageError, "no such image version"),
        (request(version=3), FormatError, "no program of the RTOS SDK 3"),
        (request("rtos3.elf", version=1), UsageError, "its boot loader starts one file"),
        (request("rtos3.elf", merge=True), UsageError, "an application of the RTOS SDK is one file"),
        (request("rtos3.elf", fullimage="4MB"), UsageError, "an application of the RTOS SDK is one file"),
        (request("rtos3.elf", version=3, slot=1), UsageError, "image has no slot"),
        (request(slot=1), UsageError, "version-1 image has no slot"),
        (request(version=2, slot=3), UsageError, "no such slot"),
        (request(version=2, merge=True), UsageError, "version-2 image is one file"),
        (request(mode="keep"), UsageError, "no header yet that could be kept"),
        (request(size="1MB", fullimage="4MB"), UsageError, "two flash sizes"),
        (request(fullimage="3MB"), UsageError, "not a flash size"),
        (request(init_data="v08"), UsageError, "image of a whole flash"),
        (request(init_file=InputFile("init.bin", V05)), UsageError, "image of a whole flash"),
        (request(fullimage="4MB", init_data="v99"), UsageError, "v99"),
        (BuildRequest(elf=InputFile("x.elf", b"text")), FormatError, r"x\.elf: this is no ELF file"),
        (request("ram.elf", fullimage="1MB"), LayoutError, "knows no flash layout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(wanted: BuildRequest, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build(wanted)


@pytest.mark.parametrize("step", [0, 1])
def test_it_can_be_stopped_at_each_step(step: int) -> None:
    def stop(event: Event) -> None:
        if (event.stage, event.done, event.total, event.message) == ("build", step, 2, "app.elf"):
            raise InterruptedRunError("interrupted")

    with pytest.raises(InterruptedRunError, match="nothing was written"):
        build(request(), stop)
