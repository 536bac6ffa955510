"""The job behind ``imgtool extract``, without the command line; the command prints the same document."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

import pytest

from imgtool.device.events import Event
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.extract import ExtractRequest, extract
from imgtool.engine.results import Tone
from imgtool.errors import FormatError, InterruptedRunError, UsageError
from imgtool.formats.elf.file import Executable
from imgtool.operations.extract.manifest import Manifest
from tests.support import IMAGES, Command, Put, aggregate

DUMP = "dumps/nodemcu-2.2-4m.bin"
IMAGE = InputFile("nodemcu.bin", aggregate("sample"))


def words_of(request: ExtractRequest) -> list[str]:
    """The same on the command line."""
    words = [request.file.name]
    for name, value in (("-o", request.output), ("--part", request.part), ("--segment", request.segment)):
        words += [] if value is None else [name, str(value)]
    words += ["--files"] if request.files else []
    words += ["--to-elf"] if request.to_elf else []
    return words + ([] if request.irom_address is None else ["--irom-address", str(request.irom_address)])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"output": "parts"},
        {"output": "x.bin", "part": "irom"},
        {"output": "x.bin", "part": 0x10000},
        {"output": "x.bin", "segment": 0},
        {"output": "x.bin", "segment": "image-v1:1"},
        {"output": "x.elf", "to_elf": True},
        {"output": "x.elf", "to_elf": True, "part": "irom", "irom_address": 0x40220000},
        {"files": True},
        {"files": True, "output": "files"},
        {"files": True, "part": "spiffs"},
    ],
    ids=str,
)
def test_the_command_prints_the_document_and_writes_the_outputs(
    put: Put, imgtool: Command, more: dict[str, object]
) -> None:
    put("dump.bin", DUMP)
    request = ExtractRequest(file=InputFile("dump.bin", IMAGES[DUMP]), **more)  # type: ignore[arg-type]
    run = imgtool("extract", *words_of(request), "--json")
    result = extract(request)

    assert (json.loads(run.out), run.code) == (result.document, result.code)
    assert {each.name: Path(each.name).read_bytes() for each in result.outputs} == dict(result.outputs)
    assert bool(result.outputs) == result.written == (request.output is not None)


@pytest.mark.parametrize("name", ["spiffs/linear.bin", "gzip/sample.bin.gz", "broken/bad-checksum.bin"])
def test_the_document_of_other_files(put: Put, imgtool: Command, name: str) -> None:
    put("it.bin", name)
    run = imgtool("extract", "it.bin", "-o", "parts", "--json")

    file = InputFile("it.bin", IMAGES[name])
    assert json.loads(run.out) == extract(ExtractRequest(file=file, output="parts")).document


def test_the_manifest_is_the_last_output() -> None:
    result = extract(ExtractRequest(file=IMAGE, output="parts"))
    names = [PurePath(each.name).name for each in result.outputs]

    assert names == ["0x00000-image-v1.bin", "0x10000-irom.bin", "imgtool-manifest.json"]
    assert Manifest.parse(result.outputs[-1].data) == result.extraction.manifest
    assert [part.name for part in result.parts] == ["image-v1", "irom"]


def test_words_of_a_list() -> None:
    words = extract(ExtractRequest(file=IMAGE)).words
    (table,) = words.tables

    assert words.verdict == "nodemcu.bin: aggregated, 185,780 bytes"
    assert table.rows[1] == ("irom", "irom", "0x010000", "120,244", "0x40210000")


def test_nothing_but_fill_is_said_below_the_table() -> None:
    (table,) = extract(ExtractRequest(file=InputFile("b.bin", b"\xff" * 4096))).words.tables

    assert (table.rows, table.below) == ((), "It holds nothing but fill.")


def test_an_elf_file() -> None:
    result = extract(ExtractRequest(file=IMAGE, output="it.elf", to_elf=True))
    ((name, data),) = result.outputs

    assert (name, result.elf and result.elf.data, Executable.parse(data).entry) == (
        "it.elf",
        data,
        0x40100004,
    )


def test_damaged_files_are_no() -> None:
    data = bytearray(IMAGES["spiffs/linear.bin"])
    whole = extract(ExtractRequest(file=InputFile("fs.bin", bytes(data)), files=True))
    result = extract(ExtractRequest(file=InputFile("fs.bin", bytes(data[: len(data) // 8])), files=True))

    assert (whole.ok, whole.code, result.ok, result.code) == (True, 0, False, 1)
    assert (result.words.tone, result.document["ok"]) == (Tone.WRONG, False)
    assert whole.files
    assert [len(row) for row in whole.words.tables[0].rows] == [2] * len(whole.files.rows)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"part": "irom"}, "nothing says where it goes"),
        ({"segment": 0}, "nothing says where it goes"),
        ({"to_elf": True}, "nothing says where it goes"),
        ({"segment": 0, "part": "irom", "output": "x"}, "do not go together"),
        ({"segment": 0, "to_elf": True, "output": "x"}, "do not go together"),
        ({"files": True, "to_elf": True}, "do not go together"),
        ({"irom_address": 0x40210000}, "for an ELF file"),
        ({"to_elf": True, "output": "x", "irom_address": 0x40100000}, "found 0x40100000"),
        ({"to_elf": True, "output": "x", "irom_address": "there"}, "not a number"),
        ({"part": 0x10400, "output": "x"}, "there is no part 0x10400"),
        ({"part": "0xzz", "output": "x"}, "not a offset"),
        ({"part": "irom", "files": True}, "no file system is in irom"),
        ({"segment": "3", "output": "x"}, "0 to 2"),
        ({"segment": -1, "output": "x"}, "0 to 2"),
    ],
    ids=str,
)
def test_what_makes_no_sense(more: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        extract(ExtractRequest(file=IMAGE, **more))  # type: ignore[arg-type]


def test_a_file_without_files_is_named() -> None:
    with pytest.raises(FormatError, match=r"nodemcu\.bin: no file system is there"):
        extract(ExtractRequest(file=IMAGE, files=True))


@pytest.mark.parametrize("step", [0, 1])
def test_it_can_be_stopped_at_each_step(step: int) -> None:
    def stop(event: Event) -> None:
        if (event.stage, event.done, event.total) == ("extract", step, 2):
            raise InterruptedRunError("interrupted")

    with pytest.raises(InterruptedRunError, match="nothing was written"):
        extract(ExtractRequest(file=IMAGE, output="parts"), stop)
