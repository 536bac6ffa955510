"""The job behind ``imgtool split``, without the command line; the command prints the same document."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgtool.device.events import Event
from imgtool.engine.documents import text_of
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.merge import MergeRequest, merge
from imgtool.engine.jobs.split import SplitRequest, split
from imgtool.errors import FormatError, InterruptedRunError
from tests.support import IMAGES, Command, Put, aggregate

IMAGE = InputFile("nodemcu.bin", aggregate("sample"))


@pytest.mark.parametrize("where", [".", "parts", "a/b"])
@pytest.mark.parametrize("data", [IMAGE.data, IMAGES["dumps/nodemcu-2.2-4m.bin"]], ids=["image", "dump"])
def test_the_command_prints_the_document_and_writes_the_outputs(
    put: Put, imgtool: Command, data: bytes, where: str
) -> None:
    put("it.bin", data)
    run = imgtool("split", "it.bin", "-o", where, "--json")
    result = split(SplitRequest(InputFile("it.bin", data), where))

    assert (run.out, run.code) == (text_of(result.document) + "\n", result.code)
    assert {each.name: Path(each.name).read_bytes() for each in result.outputs} == dict(result.outputs)


def test_the_parts_are_named_by_flash_address() -> None:
    result = split(SplitRequest(IMAGE, "parts"))

    assert (result.ok, result.code) == (True, 0)
    assert [Path(each.name) for each in result.outputs] == [
        Path("parts/0x00000.bin"),
        Path("parts/0x10000.bin"),
    ]
    words = result.words
    assert words.verdict == "2 parts in parts, to be flashed at these addresses:"
    assert [row[2] for row in words.tables[0].rows] == ["0x00000.bin", "0x10000.bin"]


def test_merging_the_parts_gives_the_image_back() -> None:
    parts = split(SplitRequest(IMAGE)).outputs

    merged = merge(MergeRequest(files=tuple(InputFile(*part) for part in parts), output="again.bin"))

    assert merged.output.data == IMAGE.data


def test_records_are_split_as_the_image_in_them() -> None:
    records = merge(MergeRequest(files=(IMAGE,), output="it.hex")).output

    assert split(SplitRequest(InputFile(*records))).outputs == split(SplitRequest(IMAGE)).outputs


def test_what_has_no_parts_is_named() -> None:
    with pytest.raises(
        FormatError, match=r"^blank\.bin: only an aggregated image, a flash image or a Tuya OTA file"
    ):
        split(SplitRequest(InputFile("blank.bin", b"\xff" * 4096)))


@pytest.mark.parametrize("at", range(2))
def test_it_can_be_stopped(at: int) -> None:
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if event.done == at:
            raise InterruptedRunError("enough")

    with pytest.raises(InterruptedRunError, match=r"^interrupted: nothing was written$"):
        split(SplitRequest(IMAGE), listen)
    assert events[-1] == Event("split", at, 1, "nodemcu.bin")
