"""Files as pieces: by their places, their names, the addresses in them, and the manifests beside them."""

from __future__ import annotations

import hashlib

import pytest

from imgtool.chip import FLASH_MODES
from imgtool.engine.inputs import InputFile
from imgtool.engine.placing import (
    INIT_DATA_CHOICES,
    MANIFEST,
    check_places,
    content_of,
    filesystem_piece,
    form_by_name,
    header_change,
    init_source,
    placed,
    size_name,
)
from imgtool.engine.stopping import stoppable
from imgtool.errors import FormatError, InterruptedRunError, LayoutError, UsageError
from imgtool.formats.containers import intel_hex, srecord, uf2
from imgtool.formats.containers.blocks import Block
from imgtool.operations.assemble.extras import AT_ITS_PLACE, InitDataSource
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.extract.manifest import FileStretch, FillStretch, Manifest, Source

BUILDERS = {"hex": intel_hex.build, "srec": srecord.build, "uf2": uf2.build}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest_of(data: bytes, cut: int) -> bytes:
    """A manifest of a file of two parts with fill between."""
    stretches = (
        FileStretch("a.bin", 0, cut, digest(data[:cut]), "image-v1"),
        FillStretch(0xFF, cut, 16, "gap"),
        FileStretch("b.bin", cut + 16, len(data) - cut - 16, digest(data[cut + 16 :]), "irom"),
    )
    return Manifest(Source("dump.bin", len(data), digest(data), "aggregated"), stretches).build()


def test_a_file_goes_where_its_place_says_then_its_name_then_to_0() -> None:
    files = [
        InputFile("x/0x20000.bin", b"a", 0x1000),
        InputFile("y/0x10000.bin", b"b"),
        InputFile("z/firmware.bin", b"c"),
    ]

    result = placed(files)

    assert result.pieces == (
        Piece(0x1000, b"a", "x/0x20000.bin"),
        Piece(0x10000, b"b", "y/0x10000.bin"),
        Piece(0, b"c", "z/firmware.bin"),
    )
    assert (result.named, result.findings, result.parts, result.verbatim) == ((), (), (), False)
    assert result.inputs == ("x/0x20000.bin", "y/0x10000.bin", "z/firmware.bin")


def test_a_named_place_keeps_its_name() -> None:
    records = intel_hex.build([Block(0x100, b"lfs"), Block(0x104, b"!")])

    result = placed([InputFile("a.bin", b"a"), InputFile("lfs.hex", records, "@lfs")])

    assert result.named == (("@lfs", Piece(0, b"lfs\xff!", "lfs.hex")),)


def test_no_file_is_refused() -> None:
    with pytest.raises(UsageError, match="no image is given"):
        placed([])


def test_two_files_without_an_address_are_refused() -> None:
    with pytest.raises(UsageError, match=r"a\.bin and b\.bin both have no address"):
        placed([InputFile("x/a.bin", b"a"), InputFile("y/b.bin", b"b")])
    with pytest.raises(UsageError):
        check_places([("a.bin", None), ("b", None)])

    check_places([("a.bin", None), ("b.hex", None), ("c.bin", 0), ("0x10000.bin", None), ("d.bin", "@lfs")])


@pytest.mark.parametrize("form", BUILDERS)
def test_records_have_addresses_of_their_own(form: str) -> None:
    data = BUILDERS[form]([Block(0x10000, bytes(256)), Block(0x20000, bytes(256))])

    assert [(piece.address, len(piece.data)) for piece in placed([InputFile("any", data)]).pieces] == [
        (0x10000, 256),
        (0x20000, 256),
    ]
    with pytest.raises(UsageError, match="any holds addresses of its own"):
        placed([InputFile("any", data, 0x1000)])


def test_records_for_ram_have_no_place() -> None:
    with pytest.raises(LayoutError):
        placed([InputFile("ram.hex", intel_hex.build([Block(0x40100000, b"code")]))])


def test_a_manifest_and_the_files_beside_it_make_one_piece() -> None:
    data = bytes(range(64)) + b"\xff" * 16 + bytes(range(100))
    beside = {"a.bin": data[:64], "b.bin": data[80:]}

    result = placed([InputFile(f"folder/{MANIFEST}", manifest_of(data, 64), None, beside)])

    assert [(piece.address, piece.data) for piece in result.pieces] == [(0, data)]
    assert (result.verbatim, result.findings) == (True, ())
    assert result.parts == ("folder/a.bin", "folder/b.bin")
    assert result.inputs == (f"folder/{MANIFEST}", "folder/a.bin", "folder/b.bin")


def test_a_part_that_was_changed_is_told() -> None:
    data = bytes(range(64)) + b"\xff" * 16 + bytes(range(100))
    beside = {"a.bin": bytes(64), "b.bin": data[80:]}

    result = placed([InputFile("m.json", manifest_of(data, 64), None, beside)])

    assert (result.verbatim, [finding.code for finding in result.findings]) == (False, ["part-changed"])


def test_a_manifest_beside_another_file_is_not_given_back_as_it_was() -> None:
    data = bytes(range(64)) + b"\xff" * 16 + bytes(range(100))
    beside = {"a.bin": data[:64], "b.bin": data[80:]}
    folder = InputFile(MANIFEST, manifest_of(data, 64), None, beside)

    assert not placed([folder, InputFile("0x10000.bin", b"x")]).verbatim
    assert not placed([folder, InputFile("lfs.img", b"x", "@lfs")]).verbatim


def test_a_manifest_takes_no_address_and_needs_its_files() -> None:
    data = bytes(range(64)) + b"\xff" * 16 + bytes(range(100))

    with pytest.raises(UsageError, match="a manifest has addresses of its own"):
        placed([InputFile(MANIFEST, manifest_of(data, 64), 0, {})])
    with pytest.raises(FormatError, match=rf"{MANIFEST}: entry 0 \(a.bin\) is not what the manifest says"):
        placed([InputFile(MANIFEST, manifest_of(data, 64))])
    with pytest.raises(FormatError, match=f"{MANIFEST}: the manifest is no JSON"):
        placed([InputFile(MANIFEST, b"{")])


def test_the_content_of_a_file() -> None:
    raw = content_of(InputFile("a.bin", b"raw", 0x1000))
    records = content_of(InputFile("a.hex", intel_hex.build([Block(0x1000, b"a"), Block(0x1004, b"b")])))

    assert (raw.data, raw.form, raw.start) == (b"raw", "bin", 0)
    assert (records.data, records.form, records.start) == (b"a\xff\xff\xffb", "hex", 0x1000)


def test_a_file_system_goes_to_its_place_or_where_it_is_told() -> None:
    assert filesystem_piece(InputFile("fs.bin", b"fs")) == Piece(AT_ITS_PLACE, b"fs", "fs.bin")
    assert filesystem_piece(InputFile("fs.bin", b"fs", 0x100000)) == Piece(0x100000, b"fs", "fs.bin")


@pytest.mark.parametrize("choice", INIT_DATA_CHOICES)
def test_init_data_by_a_choice(choice: str) -> None:
    assert init_source(choice, None, {}) == InitDataSource(choice)


def test_init_data_of_a_file_with_fields() -> None:
    source = init_source("auto", InputFile("init.bin", b"\x05"), {"vdd33_const": "255"})

    assert source == InitDataSource("file", Piece(0, b"\x05", "init.bin"), {"vdd33_const": "255"})


def test_init_data_that_makes_no_sense() -> None:
    with pytest.raises(UsageError, match="there is no such init data"):
        init_source("v09", None, {})
    with pytest.raises(UsageError):
        init_source("auto", None, {"no_such_field": "1"})


def test_header_changes() -> None:
    assert header_change() == (HeaderChange(), None)
    assert header_change("DIO", "40m", "4mb") == (HeaderChange("dio", "40m", "4MB"), None)

    change, note = header_change(old_size="32m")

    assert (change.size, note) == ("4MB", "-fs 32m is in megabits, as old tools had it: that is 4MB")
    with pytest.raises(UsageError, match="two flash sizes are given"):
        header_change(size="4MB", old_size="32m")


@pytest.mark.parametrize(("text", "name"), [("keep", None), ("KEEP", None), ("dio", "dio"), ("DOUT", "dout")])
def test_a_mode_or_keep(text: str, name: str | None) -> None:
    assert name is None or name in FLASH_MODES
    assert header_change(text)[0].mode == name


@pytest.mark.parametrize("text", ["", "quad", "40m"])
def test_neither_keep_nor_a_mode(text: str) -> None:
    with pytest.raises(UsageError, match="not a flash mode"):
        header_change(text)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.bin", "bin"),
        ("a", "bin"),
        ("x.hex/a", "bin"),
        ("a.HEX", "hex"),
        ("a.s19", "srec"),
        ("a.uf2", "uf2"),
    ],
)
def test_the_format_that_a_name_asks_for(name: str, form: str) -> None:
    assert form_by_name(name) == form


@pytest.mark.parametrize("stop", [KeyboardInterrupt, InterruptedRunError("the user is gone")])
def test_a_job_that_is_stopped_says_what_was_done(stop: BaseException) -> None:
    with pytest.raises(InterruptedRunError, match=r"^interrupted: nothing was written$"), stoppable():
        raise stop


@pytest.mark.parametrize(
    ("text", "name"),
    [("512KB", "512KB"), ("512kb", "512KB"), ("4MB-c1", "4MB-c1"), ("4mb-C1", "4MB-c1"), ("16MB", "16MB")],
)
def test_size_name(text: str, name: str) -> None:
    assert size_name(text) == (name, None)


@pytest.mark.parametrize(("text", "name"), [("4m", "512KB"), ("8m", "1MB"), ("16m", "2MB"), ("32m", "4MB")])
def test_old_spelling_of_a_size_has_a_note(text: str, name: str) -> None:
    found, note = size_name(text, short=True)

    assert (found, name in (note or "")) == (name, True)


@pytest.mark.parametrize("text", ["", "4m", "32m", "1M", "512", "64MB", "4MB-c2", "keep", "detect"])
def test_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="not a flash size"):
        size_name(text)


@pytest.mark.parametrize("text", ["2m", "64m", "1M", "4194304"])
def test_no_old_spelling_of_a_size(text: str) -> None:
    with pytest.raises(UsageError):
        size_name(text, short=True)
