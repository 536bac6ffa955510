"""irom that is cut: addresses that the image in RAM names, and that irom does not have."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from fixtures import blocks
from imgtool.errors import FormatError
from imgtool.formats.images import irom, version1
from imgtool.formats.images.aggregated import AggregatedImage
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding
from imgtool.formats.registry import identify
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.plan import PlanRequest, check_files
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, said

BASE, SIZE = 0x4021_0000, 0x4000
END = BASE + SIZE
CODE = blocks.stream("irom", SIZE)
MISSING = [END + 0x1234 + 8 * number for number in range(5)]


def head(words: list[int], *, before: bytes = b"") -> bytes:
    literals = before + struct.pack(f"<{len(words)}I", *words)
    segments = (Segment(0x4010_0000, b"\x12\xc1\xf0\x0d" * 4), Segment(0x3FFE_8000, literals))
    return BootImage(2, 0x20, 0x4010_0000, segments).build()


def image(words: list[int], *, before: bytes = b"", offset: int = 0x10000) -> bytes:
    return AggregatedImage(BootImage.parse(head(words, before=before)), CODE, offset).build()


def about_irom(data: bytes) -> Finding:
    (finding,) = (f for f in identify(data).findings if f.code in ("cut", "irom-uncovered"))
    return finding


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "irom-uncovered"),
        (MISSING[:1], "irom-uncovered"),
        (MISSING[:4], "irom-uncovered"),
        (MISSING, "cut"),
        (MISSING[:1] * 5, "irom-uncovered"),  # one address, however often
        ([END - 4 * number for number in range(1, 9)], "irom-uncovered"),  # the last words are there
        ([END + 0x400 + number for number in range(5)], "cut"),  # texts have any address
        ([0x4022_0014 + 0x10000 * number for number in range(8)], "irom-uncovered"),  # round numbers
        ([0x4030_0100 + 4 * number for number in range(9)], "irom-uncovered"),  # nothing is mapped there
    ],
)
def test_what_the_image_names(words: list[int], code: str) -> None:
    assert about_irom(image(words)).code == code


def test_words_are_whole_words() -> None:
    assert about_irom(image(MISSING, before=b"\0\0")).code == "irom-uncovered"


def test_what_is_said_of_a_cut() -> None:
    finding = about_irom(image(MISSING))

    assert (str(finding.severity), finding.offset) == ("error", 0x10000 + SIZE)
    assert f"up to 0x{MISSING[-1]:08x}" in finding.message
    assert f"at least {MISSING[-1] + 1 - END:,} bytes" in finding.message


def test_numbers_are_no_places() -> None:
    """Parts of pi and the like count, as they did when the limit was found, but nothing is missing there."""
    assert f"up to 0x{MISSING[-2]:08x}" in about_irom(image([*MISSING[:-1], 0x402F_6A7A])).message


def test_the_offset_of_irom_counts() -> None:
    assert about_irom(image(MISSING, offset=0x40000)).code == "irom-uncovered"
    assert about_irom(image([word + 0x30000 for word in MISSING], offset=0x40000)).code == "cut"


def test_a_whole_flash_has_no_end_that_counts() -> None:
    assert about_irom(image(MISSING).ljust(0x100000, b"\xff")).code == "irom-uncovered"


def test_a_table_that_states_the_end_goes_before_it() -> None:
    data = IMAGES["nodemcu-3.0-2021/0x10000.bin"]
    named = irom.Behind(BASE + len(data), frozenset(MISSING))

    assert irom.cover_finding(data, 0, 0x10000, named).code == "irom-uncovered"


def test_a_pair_is_refused() -> None:
    with pytest.raises(FormatError, match="irom is cut short"):
        merge([Piece(0, head(MISSING), "0x00000.bin"), Piece(0x10000, CODE, "0x10000.bin")])
    with pytest.raises(FormatError, match="irom is cut short") as caught:
        check_files(PlanRequest((Piece(0, image(MISSING), "image.bin"),)))
    assert caught.value.check == "damaged"


def test_irom_in_several_pieces_is_whole() -> None:
    more = bytes(0x2000)
    pieces = [Piece(0, head(MISSING), "a"), Piece(0x10000, CODE, "b"), Piece(0x10000 + SIZE, more, "c")]

    assert said(merge(pieces).findings, "error") == []


def test_irom_of_another_build_is_named(corpus: Path) -> None:
    first = (corpus / "nodemcu/yuan-0x00000.bin").read_bytes()
    other = (corpus / "nodemcu/fw-20150112-0x10000.bin").read_bytes()

    with pytest.raises(FormatError, match="it is not the irom of first"):
        merge([Piece(0, first, "first"), Piece(0x10000, other, "second")])


SAMPLE = IMAGES["sample/0x10000.bin"]
OWN_END = BASE + len(SAMPLE) + 0x100
BEFORE = len(irom.behind(SAMPLE, (), OWN_END, code=0).own)  # numbers that look like addresses
OWN = [OWN_END + 0x1200 + 4 * number for number in range(25 - BEFORE)]


def with_literals(words: list[int], *, before: bytes = b"") -> bytes:
    """Irom of 256 bytes more, with literals in them."""
    return SAMPLE + (before + struct.pack(f"<{len(words)}I", *words)).ljust(0x100, b"\0")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "irom-uncovered"),
        (OWN[:-1], "irom-uncovered"),
        (OWN, "cut"),
        (OWN[:1] * 25, "irom-uncovered"),
        ([OWN_END - 4 * number for number in range(1, 40)], "irom-uncovered"),
        ([word + 2 for word in OWN], "irom-uncovered"),  # what irom names in irom begins at a word
        ([0x4030_0100 + 4 * number for number in range(40)], "irom-uncovered"),
    ],
)
def test_what_irom_names_by_itself(words: list[int], code: str) -> None:
    assert about_irom(with_literals(words)).code == code


def test_what_is_said_of_irom_alone() -> None:
    finding = about_irom(with_literals(OWN))

    assert (str(finding.severity), finding.offset) == ("error", len(SAMPLE) + 0x100)
    assert "it names 25 addresses behind its end, up to 0x402" in finding.message


def test_words_of_irom_are_whole_words() -> None:
    assert about_irom(with_literals(OWN, before=b"\0\0")).code == "irom-uncovered"


def test_irom_of_which_nothing_tells_the_place_is_not_judged() -> None:
    """Its end is no address then."""
    assert about_irom(b"\x12\xc1\xf0\x0d\xf0\0" * 200 + with_literals(OWN)[:-1]).code == "irom-uncovered"


def test_a_pair_of_which_irom_misses_its_end_is_refused() -> None:
    first = IMAGES["sample/0x00000.bin"]
    with pytest.raises(FormatError, match="irom is cut short: it names 25 addresses"):
        merge([Piece(0, first, "0x00000.bin"), Piece(0x10000, with_literals(OWN), "0x10000.bin")])
    rest = Piece(0x10000 + len(SAMPLE) + 0x100, bytes(0x2000), "rest.bin")
    whole = [Piece(0, first, "0x00000.bin"), Piece(0x10000, with_literals(OWN), "0x10000.bin"), rest]
    assert said(merge(whole).findings, "error") == []


PAIRS = [
    ("nodemcu/yuan-0x00000.bin", "nodemcu/yuan-0x10000.bin"),
    ("nodemcu/fw-20150112-0x00000.bin", "nodemcu/fw-20150112-0x10000.bin"),
    ("nodemcu/flasher-0x00000.bin", "nodemcu/flasher-0x10000.bin"),
    ("nodemcu/fw092-2M-eagle.app.v6.flash.bin", "nodemcu/fw092-2M-eagle.app.v6.irom0text.bin"),
    ("at/at-sdk2.0-noboot-eagle.flash.bin", "at/at-sdk2.0-noboot-eagle.irom0text.bin"),
    ("sdkapps/esptool-iotdemo-0x00000.bin", "sdkapps/esptool-iotdemo-0x10000.bin"),
]


@pytest.mark.parametrize("names", PAIRS, ids=lambda names: names[0])
def test_real_pairs(names: tuple[str, str], corpus: Path) -> None:
    first, code = ((corpus / name).read_bytes() for name in names)
    found = version1.scan(first)

    whole = irom.behind(first, found.segments, BASE + len(code))
    less = irom.behind(first, found.segments, BASE + len(code) * 9 // 10)
    assert (whole.cut, less.cut) == (False, True)


@pytest.mark.parametrize("name", [code for _, code in PAIRS])
def test_real_irom_alone(name: str, corpus: Path) -> None:
    """All are whole; cut to a half all are seen but two, which name little of their second half."""
    data = (corpus / name).read_bytes()

    assert about_irom(data).code == "irom-uncovered"
    half = about_irom(data[: len(data) // 2]).code
    assert half == ("irom-uncovered" if "fw-20150112" in name or "fw092" in name else "cut")


def test_real_images(corpus: Path) -> None:
    """None is taken for cut; cut by a tenth of irom all are, but for two that end in erased flash."""
    blank_tails = {"fw-20150112-esp.nodemcu.bin", "fw092-nodemcu_2M_20141219.bin"}
    cuts: dict[str, bool] = {}
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        data = path.read_bytes()
        what = describe(data)
        if what.ok and KINDS[what.kind].has_layout:
            less = describe(data[: 0x10000 + (len(data) - 0x10000) * 9 // 10])
            cuts[path.name] = not less.ok
    assert len(cuts) == 5
    assert {name for name, seen in cuts.items() if not seen} == blank_tails
    for name in blank_tails:
        data = (corpus / "nodemcu" / name).read_bytes()
        assert not describe(data[: 0x10000 + 0x40000]).ok
