"""The job behind ``imgtool inspect``, without the command line; the command prints the same document."""

from __future__ import annotations

import pickle

import pytest

from imgtool.device.events import Event
from imgtool.engine.documents import text_of
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.inspect import InspectRequest, InspectResult, inspect
from imgtool.engine.results import Tone, Toned
from imgtool.errors import InterruptedRunError, UsageError
from tests.support import IMAGES, Command, Put, aggregate, flash_512k, flipped

GOOD = InputFile("good.bin", aggregate("sample"))
DAMAGED = InputFile("damaged.bin", flipped(aggregate("sample"), 0x40))
FOREIGN = InputFile("foreign.bin", b"<html></html>" * 10)
NAMES = [
    "dumps/nodemcu-2.2-4m.bin",
    "gzip/sample.bin.gz",
    "init-data/v08.bin",
    "spiffs/linear.bin",
    "broken/bad-checksum.bin",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_prints_the_document(put: Put, imgtool: Command, name: str) -> None:
    put("it.bin", name)
    for words, shown in (([], False), (["--show-credentials"], True)):
        run = imgtool("inspect", "it.bin", "--json", *words)
        result = inspect(InspectRequest((InputFile("it.bin", IMAGES[name]),), shown))

        assert (run.out, run.code) == (text_of(result.document) + "\n", result.code)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_command_prints_the_document_of_several_files(put: Put, imgtool: Command, jobs: str) -> None:
    for file in (GOOD, DAMAGED, FOREIGN):
        put(file.name, file.data)
    run = imgtool("inspect", GOOD.name, DAMAGED.name, FOREIGN.name, "-j", jobs, "--json")
    result = inspect(InspectRequest((GOOD, DAMAGED, FOREIGN)))

    assert (run.out, run.code) == (text_of(result.document) + "\n", result.code)


@pytest.mark.parametrize(
    ("files", "ok", "code", "tone"),
    [
        ((GOOD,), True, 0, Tone.GOOD),
        ((DAMAGED,), False, 1, Tone.WRONG),
        ((FOREIGN,), False, 3, Tone.WRONG),
        ((GOOD, DAMAGED), False, 1, Tone.WRONG),
        ((GOOD, GOOD), True, 0, Tone.GOOD),
    ],
)
def test_what_it_comes_to(files: tuple[InputFile, ...], ok: bool, code: int, tone: Tone) -> None:
    result = inspect(InspectRequest(files))

    assert (result.ok, result.code, result.words.tone, result.outputs) == (ok, code, tone, ())


def test_words_of_one_file_are_those_of_the_terminal(put: Put, imgtool: Command) -> None:
    put("it.bin", GOOD.data)
    shown = imgtool("inspect", "it.bin").out
    words = inspect(InspectRequest((GOOD,))).words

    assert words.verdict in shown
    for row in words.rows:
        assert row.name in shown
    assert [table.title for table in words.tables] == ["parts", "segments", "checks"]
    for table in words.tables:
        for row_ in table.rows:
            assert all((cell if isinstance(cell, str) else cell.text)[:20] in shown for cell in row_)


def test_words_of_several_files_name_what_is_wrong_with_which() -> None:
    words = inspect(InspectRequest((GOOD, DAMAGED))).words

    assert words.verdict == "2 files: 1 good, 1 damaged, 0 no ESP8266 files"
    assert [row[0] for row in words.tables[0].rows] == ["good.bin", "damaged.bin"]
    assert words.tables[0].rows[1][3] == Toned("1 error", Tone.WRONG)
    assert [finding.message.partition(": ")[0] for finding in words.findings] == ["damaged.bin"]


def test_words_tell_of_what_is_inside() -> None:
    words = inspect(InspectRequest((InputFile("it.gz", IMAGES["gzip/sample.bin.gz"]),))).words

    titles = [table.title for table in words.tables]
    assert titles[titles.index("inside") :] == ["inside", "parts", "segments", "checks"]


def test_networks_are_told_only_to_who_asks() -> None:
    dump = InputFile("dump.bin", flash_512k())

    assert inspect(InspectRequest((dump,))).files[0].networks is None
    asked = inspect(InspectRequest((dump,), show_credentials=True))
    assert asked.files[0].networks == ()
    assert asked.words.tables[-1].lead == "no network is seen in the system parameters"


def test_results_are_joined_and_go_from_process_to_process() -> None:
    apart = [pickle.loads(pickle.dumps(inspect(InspectRequest((file,))))) for file in (GOOD, DAMAGED)]  # noqa: S301

    assert InspectResult.joined(apart) == inspect(InspectRequest((GOOD, DAMAGED)))


def test_no_file_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no file to look at"):
        inspect(InspectRequest(()))


def test_each_file_is_told_and_it_can_be_stopped_there() -> None:
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if event.done == 1:
            raise InterruptedRunError("enough")

    with pytest.raises(InterruptedRunError, match=r"^interrupted: no file was changed"):
        inspect(InspectRequest((GOOD, DAMAGED, FOREIGN)), listen)
    assert events == [Event("inspect", 0, 3, "good.bin"), Event("inspect", 1, 3, "damaged.bin")]
