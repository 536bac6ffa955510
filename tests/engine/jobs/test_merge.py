"""The job behind ``imgtool merge``, without the command line; the command prints the same document."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgtool.device.events import Event
from imgtool.engine.documents import text_of
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.merge import FORMATS, MergeRequest, merge
from imgtool.errors import FormatError, InterruptedRunError, LayoutError, UsageError
from imgtool.operations.assemble.records import form_of
from tests.support import IMAGES, Command, Put, aggregate

BOOT = InputFile("0x00000.bin", IMAGES["sample/0x00000.bin"])
CODE = InputFile("0x10000.bin", IMAGES["sample/0x10000.bin"])
PAIR = (BOOT, CODE)


def words_of(request: MergeRequest) -> list[str]:
    """The same on the command line."""
    words = [*(file.name for file in request.files), "-o", request.output]
    for name, value in (("--fill", request.fill), ("--pad-to", request.pad_to), ("--format", request.form)):
        words += [] if value is None else [name, str(value)]
    return [*words, "-fm", request.mode, "-ff", request.freq, "-fs", request.old_size]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"fill": 0, "pad_to": "1MB"},
        {"form": "srec"},
        {"output": "out.hex", "pad_to": 0x100000},
        {"output": "out.uf2"},
        {"mode": "dio", "freq": "80m", "old_size": "32m"},
    ],
    ids=str,
)
def test_the_command_prints_the_document_and_writes_the_outputs(
    put: Put, imgtool: Command, more: dict[str, object]
) -> None:
    for file in PAIR:
        put(file.name, file.data)
    request = MergeRequest(**{"files": PAIR, "output": "out.bin", **more})  # type: ignore[arg-type]
    run = imgtool("merge", *words_of(request), "--json")
    result = merge(request)

    assert (run.out, run.code) == (text_of(result.document) + "\n", result.code)
    assert {each.name: Path(each.name).read_bytes() for each in result.outputs} == dict(result.outputs)


def test_a_pair_becomes_one_image() -> None:
    result = merge(MergeRequest(files=PAIR, output="out.bin"))

    assert (result.ok, result.code, result.form) == (True, 0, "bin")
    assert result.outputs == (("out.bin", aggregate("sample")),)
    assert result.inputs == ("0x00000.bin", "0x10000.bin")
    words = result.words
    assert words.verdict == f"out.bin: {len(aggregate('sample')):,} bytes, bin"
    assert [row[0] for row in words.tables[0].rows] == ["0x000000", "0x010000"]
    assert (words.findings, words.notes) == (result.merged.findings, ())


def test_the_spelling_of_old_tools_is_noted() -> None:
    result = merge(MergeRequest(files=PAIR, output="out.bin", old_size="32m"))

    assert result.words.notes == (result.spelling,)
    assert result.document["warnings"][-1] == result.spelling


@pytest.mark.parametrize("form", FORMATS)
def test_formats(form: str) -> None:
    by_name = merge(MergeRequest(files=PAIR, output=f"out.{form}"))
    by_word = merge(MergeRequest(files=PAIR, output="out", form=form))

    assert by_name.output.data == by_word.output.data
    assert form_of(by_word.output.data) == by_word.form == form


def test_records_hold_the_fill_where_it_is_asked_for() -> None:
    plain = merge(MergeRequest(files=PAIR, output="out.hex"))
    filled = merge(MergeRequest(files=PAIR, output="out.hex", fill=0xFF))

    assert len(filled.output.data) > len(plain.output.data)


def test_named_places(put: Put, imgtool: Command) -> None:
    init = InputFile("init.bin", IMAGES["init-data/v05.bin"], "@init-data")
    for file in (*PAIR, init):
        put(file.name, file.data)
    run = imgtool("merge", "0x00000.bin", "0x10000.bin", "@init-data", "init.bin", "-o", "out.bin", "--json")
    result = merge(MergeRequest(files=(*PAIR, init), output="out.bin"))

    assert run.out == text_of(result.document) + "\n"
    assert [piece.name for piece in result.merged.pieces] == ["0x00000.bin", "0x10000.bin", "init.bin"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"files": ()}, "no image is given"),
        ({"files": (InputFile("lfs", b"x", "@lfs"),)}, "no firmware is given, by which a named place"),
        ({"fill": 256}, "not a byte"),
        ({"fill": "300"}, r"not a byte \(expected 0x00 to 0xFF, found 300\)"),
        ({"fill": -1}, "not a byte"),
        ({"pad_to": "much"}, "not a size"),
        ({"form": "elf"}, "not a format of images"),
        ({"mode": "quad"}, "not a flash mode"),
        ({"size": "4MB", "old_size": "32m"}, "two flash sizes are given"),
    ],
    ids=str,
)
def test_what_makes_no_sense(more: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        merge(MergeRequest(**{"files": PAIR, "output": "out.bin", **more}))  # type: ignore[arg-type]


def test_what_does_not_go_together() -> None:
    with pytest.raises(LayoutError):
        merge(MergeRequest(files=(BOOT, InputFile("b", CODE.data, 0x100)), output="out.bin"))
    with pytest.raises(FormatError):
        merge(MergeRequest(files=(InputFile("cut.bin", BOOT.data[:100]), CODE), output="out.bin"))


def test_each_step_is_told() -> None:
    events: list[Event] = []

    merge(MergeRequest(files=PAIR, output="out.bin"), events.append)

    assert [(event.stage, event.done, event.total) for event in events] == [
        ("merge", done, 3) for done in range(4)
    ]


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("stop", [KeyboardInterrupt, InterruptedRunError])
def test_it_can_be_stopped_at_each_step(at: int, stop: type[BaseException]) -> None:
    def listen(event: Event) -> None:
        if event.done == at:
            raise stop("enough")

    with pytest.raises(InterruptedRunError, match=r"^interrupted: nothing was written$"):
        merge(MergeRequest(files=PAIR, output="out.bin"), listen)
