"""The job behind ``imgtool patch``, without the command line; the command prints the same document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imgtool.device.events import Event
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.patch import PatchRequest, PatchResult, patch, settable
from imgtool.engine.results import Tone
from imgtool.errors import FormatError, InterruptedRunError, LayoutError, UsageError
from imgtool.formats.containers import intel_hex, srecord
from imgtool.formats.containers.blocks import Block
from imgtool.operations.patch.steps import Write
from imgtool.operations.patch.table import REST, TableChange
from tests.support import IMAGES, Command, Put, aggregate

IMAGE = aggregate("sample")
TABLED = aggregate("nodemcu-3.0-2019")
INIT = IMAGES["init-data/v05.bin"]
RECORDS = intel_hex.build([Block(0x10000, IMAGES["sample/0x10000.bin"])])
LFS, FILES = IMAGES["lfs/lfs-5.1.img"], IMAGES["spiffs/linear.bin"]


def request(data: bytes = IMAGE, name: str = "it.bin", **more: object) -> PatchRequest:
    return PatchRequest(file=InputFile(name, data), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (request(mode="dio", size="4MB", output="o.bin"), ["--mode", "dio", "--size", "4MB", "-o", "o.bin"]),
        (request(old_size="32m", output="out.hex"), ["-fs", "32m", "-o", "out.hex"]),
        (request(entry=0x40100008), ["--entry", "0x40100008", "--dry-run"]),
        (request(mode="dio", output="it.bin"), ["--mode", "dio", "--in-place"]),
        (request(IMAGES["broken/bad-checksum.bin"], mode="qout"), ["--mode", "qout", "--dry-run"]),
        (request(IMAGES["broken/bad-checksum.bin"], repair=True), ["--repair", "--dry-run"]),
        (request(INIT, init_fields={"vdd33_const": "33"}), ["--set", "vdd33_const=33", "--dry-run"]),
        (request(INIT, init_data="v08"), ["--init-data", "v08", "--dry-run"]),
        (
            request(INIT, init_file=InputFile("init.bin", IMAGES["init-data/v08.bin"])),
            ["--init-data", "init.bin", "--dry-run"],
        ),
        (
            request(
                TABLED,
                size="4MB",
                table=TableChange(lfs_size=0x10000, spiffs_address=1 << 20, spiffs_size=REST),
                lfs=InputFile("lfs.img", LFS),
                filesystem=InputFile("fs.img", FILES),
            ),
            ["--size", "4MB", "--lfs-size", "64K", "--spiffs-addr", "1M", "--spiffs-size", "rest", "--lfs",
             "lfs.img", "--filesystem", "fs.img", "--dry-run"],
        ),
        (
            request(RECORDS, "it.hex", writes=(Write(0x10100, b"\x12\x34"),), output="it.hex"),
            ["--write", "0x10100=1234", "--in-place"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_the_command_prints_the_document_and_writes_the_output(
    put: Put, imgtool: Command, wanted: PatchRequest, words: list[str]
) -> None:
    for name, data in (("init.bin", IMAGES["init-data/v08.bin"]), ("lfs.img", LFS), ("fs.img", FILES)):
        put(name, data)
    put(wanted.file.name, wanted.file.data)
    run = imgtool("patch", wanted.file.name, *words, "--json")
    result = patch(wanted)

    assert (json.loads(run.out), run.code) == (result.document, result.code)
    assert {each.name: Path(each.name).read_bytes() for each in result.outputs} == dict(result.outputs)
    assert len(result.outputs) == (wanted.output is not None)


def test_what_changes_in_words() -> None:
    dry, done = patch(request(mode="qio")).words, patch(request(mode="qio", output="out.bin")).words
    fields, places = dry.tables

    assert (dry.verdict, done.verdict) == ("it.bin: 1 byte would change", "it.bin: 1 byte changed")
    assert fields.rows == (("flash mode", "0x000002", "dio", "qio", ""),)
    assert places.rows == (("0x000002", "1", "02", "00"),)
    assert (dry.rows, done.rows) == ((), (("out.bin", "185,780 bytes, all checks hold"),))


def test_what_follows_is_told_apart() -> None:
    fields, _ = patch(request(IMAGES["v2/user1.bin"], mode="dio")).words.tables

    assert [row[-1] for row in fields.rows] == ["", ("follows", Tone.DIM)]


def test_nothing_changes() -> None:
    words = patch(request(mode="dio")).words

    assert (words.verdict, words.tables) == ("it.bin: nothing changes, it is so already", ())


def test_many_runs_are_counted() -> None:
    writes = tuple(Write(0x8400 + 4 * at, b"\xaa") for at in range(30))
    (_, places) = patch(request(writes=writes)).words.tables

    assert (len(places.rows), places.below) == (24, "and 7 runs more")


def test_what_stays_damaged_is_no() -> None:
    result = patch(request(IMAGES["broken/bad-checksum.bin"], mode="qout", output="out.bin"))

    assert (result.ok, result.code, result.words.tone) == (False, 1, Tone.WRONG)
    assert "damaged, as it was before" in result.words.rows[0].text


def test_the_name_of_the_output_chooses_the_format() -> None:
    write = (Write(0x10100, b"\x12\x34"),)
    made = {
        name: patch(request(RECORDS, "it.hex", writes=write, output=name))
        for name in ("it.hex", "other.bin", "other.srec")
    }
    (block,) = intel_hex.parse(made["it.hex"].data)

    assert (block.address, block.data[0x100:0x102]) == (0x10000, b"\x12\x34")
    assert made["other.bin"].data == made["it.hex"].patched.data == block.data
    assert srecord.parse(made["other.srec"].data)[0].address == 0x10000
    assert made["it.hex"].note == "offsets count from 0x010000 on, the lowest address in it.hex"
    assert made["it.hex"].words.notes == (made["it.hex"].note,)


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        (request(), UsageError, "nothing is to be changed"),
        (request(mode="fast"), UsageError, "not a flash mode"),
        (request(size="1MB", old_size="8m"), UsageError, "two flash sizes"),
        (request(entry=1 << 32), UsageError, "not a number of 32 bits"),
        (request(table=TableChange(lfs_size=-1)), UsageError, "not a number of 32 bits"),
        (request(writes=(Write(1 << 40, b"1"),)), UsageError, "not a number of 32 bits"),
        (request(init_data="none"), UsageError, "not taken out"),
        (request(init_data="v99"), UsageError, "v99"),
        (request(INIT, init_fields={"vdd33": "3"}), UsageError, "vdd33_const"),
        (request(RECORDS, writes=(Write(0x100, b"1"),)), UsageError, "begins behind that address"),
        (request(IMAGES["gzip/sample.bin.gz"], mode="dio"), FormatError, r"it\.bin: .*packed"),
        (request(entry=0x3FFE8000), LayoutError, r"it\.bin: .*no code can run"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(wanted: PatchRequest, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        patch(wanted)


def test_the_list_of_fields(imgtool: Command) -> None:
    result = settable()
    (table,) = result.words.tables

    assert json.loads(imgtool("patch", "--set", "list", "--json").out) == result.document
    assert (result.ok, result.code, result.outputs) == (True, 0, ())
    assert [row[0] for row in table.rows] == [each.name for each in result.fields]


def stopping_at(step: int) -> Callable[[Event], None]:
    def stop(event: Event) -> None:
        if (event.stage, event.done, event.total, event.message) == ("patch", step, 2, "it.bin"):
            raise InterruptedRunError("interrupted")

    return stop


@pytest.mark.parametrize("step", [0, 1])
def test_it_can_be_stopped_at_each_step(step: int) -> None:
    result: PatchResult | None = None
    with pytest.raises(InterruptedRunError, match="nothing was written"):
        result = patch(request(mode="qio", output="out.bin"), stopping_at(step))
    assert result is None
