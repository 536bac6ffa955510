"""The job behind ``imgtool compare``, without the command line; the command prints the same document."""

from __future__ import annotations

import pytest

from imgtool.device.events import Event
from imgtool.engine.documents import text_of
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.compare import CompareRequest, compare
from imgtool.engine.results import Tone, Toned
from imgtool.errors import InterruptedRunError
from tests.support import IMAGES, Command, Put, aggregate, flash_512k, flipped

IMAGE = aggregate("sample")
A = InputFile("a.bin", IMAGE)
CHANGED = InputFile("b.bin", flipped(IMAGE, 0x10100))
PAIRS = [
    (IMAGE, IMAGE),
    (IMAGE, CHANGED.data),
    (IMAGE, flash_512k()),
    (flash_512k(), flash_512k((0x7B000, bytes(128)))),
    (IMAGE, IMAGES["gzip/sample.bin.gz"]),
    (b"", b"x"),
]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_command_prints_the_document(put: Put, imgtool: Command, a: bytes, b: bytes, exact: bool) -> None:
    put("a.bin", a)
    put("b.bin", b)
    run = imgtool("compare", "a.bin", "b.bin", "--json", *(["--exact"] if exact else []))
    result = compare(CompareRequest(InputFile("a.bin", a), InputFile("b.bin", b), exact))

    assert (run.out, run.code) == (text_of(result.document) + "\n", result.code)


def test_the_same() -> None:
    result = compare(CompareRequest(A, InputFile("b.bin", IMAGE)))

    assert (result.ok, result.code, result.outputs) == (True, 0, ())
    words = result.words
    assert (words.verdict, words.tone, len(words.tables)) == ("The same, byte for byte.", Tone.GOOD, 1)
    assert [(row[0], row[3]) for row in words.tables[0].rows] == [("A", "a.bin"), ("B", "b.bin")]


def test_a_difference_that_matters() -> None:
    result = compare(CompareRequest(A, CHANGED))

    assert (result.ok, result.code, result.words.tone) == (False, 1, Tone.WRONG)
    _, regions, *details = result.words.tables
    assert [row[0] for row in regions.rows if row[3] == Toned("differs", Tone.WRONG)] == ["irom"]
    assert "irom at 0x010000" in [table.title for table in details]


def test_what_the_firmware_writes_is_no_only_if_that_is_asked() -> None:
    a, b = (InputFile("flash.bin", data) for data in PAIRS[3])

    results = [compare(CompareRequest(a, b, exact)) for exact in (False, True)]

    assert [result.code for result in results] == [0, 1]
    assert results[0].words.tone is Tone.GOOD


def test_long_lists_end_in_a_count() -> None:
    spread = bytearray(IMAGES["dumps/nodemcu-2.2-4m.bin"])
    noise = IMAGES["dumps/nodemcu-2.2-4m.bin"][:0x400]
    for start in range(0x100000, 0x300000, 0x8000):
        spread[start : start + 0x400] = noise
    result = compare(
        CompareRequest(
            InputFile("a.bin", IMAGES["dumps/nodemcu-2.2-4m.bin"]), InputFile("b.bin", bytes(spread))
        )
    )

    regions = result.words.tables[1]
    assert len(regions.rows) <= 40
    assert "more" in regions.below or len(result.comparison.regions) <= 40


@pytest.mark.parametrize("at", range(2))
def test_it_can_be_stopped(at: int) -> None:
    def listen(event: Event) -> None:
        if event.done == at:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError, match=r"^interrupted: the files were not compared$"):
        compare(CompareRequest(A, CHANGED), listen)
