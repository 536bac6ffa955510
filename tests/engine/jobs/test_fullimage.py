"""The job behind ``imgtool fullimage``, without the command line; the command prints the same document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imgtool.device.events import Event
from imgtool.engine.documents import text_of
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.fullimage import FullImageRequest, fullimage
from imgtool.errors import FormatError, InterruptedRunError, LayoutError, UsageError
from tests.support import IMAGES, Command, Put, aggregate

IMAGE = InputFile("nodemcu.bin", aggregate("sample"))
INIT = InputFile("init.bin", IMAGES["init-data/v08.bin"])
FILES = InputFile("fs.bin", IMAGES["spiffs/linear.bin"])


def request_of(**more: Any) -> FullImageRequest:  # noqa: ANN401 - the fields of the request
    return FullImageRequest(**{"files": (IMAGE,), "size": "4MB", **more})


def words_of(request: FullImageRequest) -> list[str]:
    """The same on the command line."""
    words = ["--size", request.size, *(file.name for file in request.files)]
    words += [] if request.output is None else ["-o", request.output]
    init = request.init_data if request.init_file is None else request.init_file.name
    words += [] if init is None else ["--init-data", init]
    words += [word for name, value in request.init_fields.items() for word in ("--set", f"{name}={value}")]
    if request.filesystem is not None:
        place = request.filesystem.place
        words += ["--filesystem", request.filesystem.name + ("" if place is None else f"@{place}")]
    words += ["--keep-header"] if request.keep_header else []
    words += ["--dry-run"] if request.dry_run else []
    return [*words, "-fm", request.mode, "-ff", request.freq]


@pytest.mark.parametrize(
    "request_",
    [
        request_of(),
        request_of(size="512KB", output="out.bin", mode="qio"),
        request_of(dry_run=True),
        request_of(init_data="v08", init_fields={"vdd33_const": "255"}),
        request_of(init_data="auto", init_file=INIT),
        request_of(filesystem=FILES),
        request_of(filesystem=InputFile("fs.bin", FILES.data, 0x200000)),
    ],
    ids=lambda request: " ".join(words_of(request)),
)
def test_the_command_prints_the_document_and_writes_the_outputs(
    put: Put, imgtool: Command, request_: FullImageRequest
) -> None:
    for file in (IMAGE, INIT, FILES):
        put(file.name, file.data)
    run = imgtool("fullimage", *words_of(request_), "--json")
    result = fullimage(request_)

    assert (run.out, run.code) == (text_of(result.document) + "\n", result.code)
    assert {each.name: Path(each.name).read_bytes() for each in result.outputs} == dict(result.outputs)


def test_an_image_is_named_after_firmware_and_size() -> None:
    result = fullimage(request_of())

    assert (result.ok, result.code, result.name) == (True, 0, result.image.name)
    assert [(each.name, len(each.data)) for each in result.outputs] == [(result.name, 4 << 20)]
    words = result.words
    assert words.verdict == f"{result.name} is the image of a whole flash of 4MB: 4,194,304 bytes"
    assert words.rows == (("Layout", result.image.rule),)
    assert words.findings == result.findings


def test_a_dry_run_makes_no_file() -> None:
    result = fullimage(request_of(dry_run=True))

    assert (result.outputs, result.document["results"][0]["written"]) == ((), False)
    assert "would be the image of a whole flash" in result.words.verdict


def test_all_files_that_went_in_are_named() -> None:
    result = fullimage(request_of(init_file=INIT, filesystem=FILES))

    assert result.inputs == ("nodemcu.bin", "fs.bin", "init.bin")


def test_named_places_stand_for_options() -> None:
    by_place = fullimage(request_of(files=(IMAGE, InputFile("init.bin", INIT.data, "@init-data"))))
    by_option = fullimage(request_of(init_file=INIT))

    assert by_place.image.data == by_option.image.data


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"files": ()}, "no image is given"),
        ({"files": (InputFile("lfs", b"x", "@lfs"),)}, "no firmware is given"),
        (
            {"files": (IMAGE, InputFile("rf", b"x", "@rf-cal"))},
            "RF-cal sector of a new image is always blank",
        ),
        ({"size": "5MB"}, "not a flash size"),
        ({"init_data": "v09"}, "there is no such init data"),
        ({"init_fields": {"no_such_field": "1"}}, "no_such_field"),
        ({"freq": "1m"}, "not a flash frequency"),
    ],
    ids=str,
)
def test_what_makes_no_sense(more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fullimage(request_of(**more))


def test_what_does_not_go_together() -> None:
    with pytest.raises(LayoutError):
        fullimage(request_of(size="256KB"))
    with pytest.raises(FormatError):
        fullimage(request_of(files=(InputFile("0x00000.bin", IMAGES["sample/0x00000.bin"]),)))


@pytest.mark.parametrize("at", range(3))
def test_it_can_be_stopped_at_each_step(at: int) -> None:
    def listen(event: Event) -> None:
        assert (event.stage, event.total) == ("fullimage", 2)
        if event.done == at:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError, match=r"^interrupted: nothing was written$"):
        fullimage(request_of(), listen)
