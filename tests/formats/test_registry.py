from __future__ import annotations

import importlib
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.reading import FileKind
from imgtool.formats.registry import FORMATS, Format, identify
from tests.support import IMAGES, codes

KINDS = {
    "blank.bin": FileKind.BLANK,
    "sample/0x00000.bin": FileKind.IMAGE_V1,
    "sample/0x10000.bin": FileKind.IROM,
    "aggregated/sample-with-sdk-sectors.bin": FileKind.AGGREGATED,
    "v2/user1.bin": FileKind.IMAGE_V2,
    "init-data/v05.bin": FileKind.INIT_DATA,
    "lfs/lfs-5.1.img": FileKind.LFS,
    "spiffs/linear.bin": FileKind.SPIFFS,
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
def test_every_format_is_found(name: str, kind: FileKind) -> None:
    assert identify(IMAGES[name]).kind is kind


def test_names_are_unique() -> None:
    assert len({form.name for form in FORMATS}) == len(FORMATS)


def test_irom_which_has_no_magic_comes_last() -> None:
    assert FORMATS[-1].module == "images.irom"


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_module_of_a_row(form: Format) -> None:
    module = importlib.import_module(f"imgtool.formats.{form.module}")

    wanted = ["read", "inside"] if form.embedded else ["read"]
    assert [name for name in wanted if not inspect.isfunction(getattr(module, name, None))] == []


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@given(data=st.binary(max_size=300))
def test_reading_raises_nothing(form: Format, data: bytes) -> None:
    reading = form.read((form.starts[0] if form.starts else b"") + data)

    assert reading is None or reading.kind in FileKind


def test_what_nobody_knows_is_an_error() -> None:
    reading = identify(bytes(range(0x80, 0xE0)))

    assert (reading.kind, codes(reading.findings)) == (FileKind.UNKNOWN, ["unknown"])
