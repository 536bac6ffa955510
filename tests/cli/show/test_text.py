"""The writer: no word and no name is broken or cut; one that is too long for its place has its own line."""

from __future__ import annotations

import io
import pickle
import re
import textwrap
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.cli.show import text
from imgtool.cli.show.render import show_error
from imgtool.cli.show.text import Screen, Span, wrapped
from imgtool.errors import FormatError, ImgtoolError
from imgtool.phrase import Name, Phrase, has_name, pieces_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Line

# Pieces of names: spaces, one and several; hyphens, at which a text may break; letters beyond ASCII; what
# separates folders on either system; what a sentence has behind a name.
_ALPHABET: Final = [*"ab0-_./\\:,;()'~#%", " ", "  ", "ö", "ß", "Ж", "語", "e\u0301", "C:\\", "- ", " -"]
_WORDS: Final = ["the", "file", "cannot", "be", "read", ":", "no", "is", "nothing", ",", "(found", "none)"]


@st.composite
def names(draw: st.DrawFn) -> str:
    """A path of 10 to 200 characters."""
    length = draw(st.integers(10, 200))
    pieces = draw(st.lists(st.sampled_from(_ALPHABET), min_size=4, max_size=12))
    name = "".join(pieces * (length // len(pieces) + 1))[: length - 1].lstrip() or "x"
    return "/" * (length - 1 - len(name)) + name + "x"


widths = st.integers(40, 200)
prose = st.lists(st.sampled_from(_WORDS), max_size=30).map(" ".join)
joints = st.sampled_from(["", " ", ": ", ", ", " (", "'s ", ") "])


def screen(width: int) -> tuple[Screen, io.StringIO]:
    stream = io.StringIO()
    return Screen(stream, width, colour=False), stream


def solid(shown: str) -> str:
    """A text without its spaces and ends of lines, which are all that a writer may change."""
    return re.sub(r"\s", "", shown)


def check(shown: str, width: int, *whole: str) -> None:
    """Every name is whole on a line; longer than the terminal is a line with nothing but one word."""
    lines = shown.splitlines()
    assert [name for name in whole if not any(name in line for line in lines)] == []
    for line in lines:
        rest = line
        for name in sorted(whole, key=len, reverse=True):
            rest = rest.replace(name, "x")
        assert len(line) <= width or " " not in rest.strip(), line


# Texts.


sentences = st.tuples(prose, joints, names(), joints, prose)


@given(sentences, widths, st.sampled_from(["", "error: ", "  note  "]))
def test_a_paragraph(sentence: tuple[str, str, str, str, str], width: int, lead: str) -> None:
    before, to, name, behind, rest = sentence
    out, stream = screen(width)
    out.paragraph(Phrase(before, to, Name(name), behind, rest), lead=[Span(lead)])

    check(stream.getvalue(), width, name)
    assert solid(stream.getvalue()) == solid(lead + before + to + name + behind + rest)


@given(names(), names(), widths)
def test_two_names_in_a_sentence(one: str, two: str, width: int) -> None:
    out, stream = screen(width)
    out.paragraph(Phrase(Name(one), " and ", Path("folder") / two, " overlap by 4 bytes"))

    check(stream.getvalue(), width, one, str(Path("folder") / two))


@given(names(), prose, prose, st.integers(40, 200))
def test_what_fits_stands_as_it_would_without_a_name(name: str, before: str, rest: str, width: int) -> None:
    name = re.sub(r"\s", "_", name)[: width - 10]
    out, stream = screen(width)
    out.paragraph(Phrase(f"{before} ".lstrip(), Name(name), ": ", rest), lead=[Span("error: ")])

    plain = f"{before} {name}: {rest}".strip()
    expected = textwrap.wrap(plain, width - 7, break_on_hyphens=False, break_long_words=False)
    if all(len(line) <= width - 7 for line in expected):
        assert stream.getvalue() == "error: " + "\n       ".join(expected) + "\n"


@given(st.lists(st.sampled_from([*_WORDS, "a  b", "x" * 30]), min_size=1, max_size=40), st.integers(30, 120))
def test_plain_text_is_wrapped_as_ever(words: list[str], width: int) -> None:
    plain = " ".join(words)

    assert wrapped(plain, width) == textwrap.wrap(plain, width, break_on_hyphens=False)


def test_no_word_is_broken() -> None:
    digest = "0123456789abcdef" * 4

    assert wrapped(f"sha256 {digest} of it", 40) == ["sha256", digest, "of it"]
    assert wrapped("", 40) == [""]


def test_a_name_without_room_has_a_line_of_its_own() -> None:
    out, stream = screen(60)
    path = "/home/somebody/My projects/garden/build/0x0000.bin"
    out.paragraph(Phrase(Name(path), ": the file is empty"), lead=[Span("error: ")])
    out.paragraph(Phrase("this is ", Name(path), " again"), lead=[Span("hint:  ")])
    for more in ("more", "and more", "and very much more"):
        out.paragraph(Phrase(Name(path + more), " is empty"), lead=[Span("error: ")])

    assert len(path) == 50
    assert stream.getvalue().splitlines() == [
        f"error: {path}:",
        "       the file is empty",
        "hint:  this is",
        f"       {path}",
        "       again",
        "error:",
        f"      {path}more",  # with the indent of the text it would not fit
        "       is empty",
        "error:",
        f"  {path}and more",
        "       is empty",
        "error:",
        f"       {path}and very much more",  # fits nowhere
        "       is empty",
    ]


def test_a_control_character_in_a_name_is_shown_and_does_not_end_the_line() -> None:
    out, stream = screen(40)
    out.paragraph(Phrase("it is ", Name("a file\n\x1b[2J.bin"), " and no other one of that kind"))

    assert stream.getvalue().splitlines()[0] == r"it is a file\x0a\x1b[2J.bin and no other"


# Tables.


rows = st.lists(st.tuples(names(), st.integers(0, 10**7), prose), min_size=1, max_size=5)


@given(rows, widths)
def test_a_table_with_names_in_front(drawn: list[tuple[str, int, str]], width: int) -> None:
    out, stream = screen(width)
    out.table(
        [(Name(name), f"{size:,}", note) for name, size, note in drawn],
        head=("file", "size", "note"),
        right=[1],
    )

    check(stream.getvalue(), width, *(name for name, _, _ in drawn))
    assert solid(stream.getvalue()) == "filesizenote" + "".join(solid(f"{a}{b:,}{c}") for a, b, c in drawn)


@given(rows, widths)
def test_a_table_with_names_in_the_middle_and_at_the_end(
    drawn: list[tuple[str, int, str]], width: int
) -> None:
    out, stream = screen(width)
    cells: list[Sequence[Line]] = [
        (f"{size:,}", Span(Phrase(Name(name), " (damaged)"), "bold"), Name(name + "2"))
        for name, size, _ in drawn
    ]
    out.table(cells, right=[0])

    both = [word for name, _, _ in drawn for word in (f"{name} (damaged)", f"{name}2")]
    check(stream.getvalue(), width, *both)
    assert solid(stream.getvalue()) == "".join(solid(f"{b:,}{a}(damaged){a}2") for a, b, _ in drawn)


def test_a_long_name_does_not_push_the_columns_away() -> None:
    out, stream = screen(80)
    long = "parts/a rather long name that somebody gave it.bin"
    out.table(
        [
            (Name("short.bin"), "128", "init-data", "of 40 MHz"),
            (Name(long), "185,780", "aggregated", "NodeMCU 2.2.0"),
            (Name("parts/x.bin"), "2,000", "image-v1", "1 error"),
        ],
        head=("file", "size", "kind", "firmware"),
        right=[1],
    )

    assert stream.getvalue().splitlines() == [
        "  file            size  kind        firmware",
        "  short.bin        128  init-data   of 40 MHz",
        f"  {long}",
        "               185,780  aggregated  NodeMCU 2.2.0",
        "  parts/x.bin    2,000  image-v1    1 error",
    ]


def test_a_long_name_stays_in_its_column_where_the_table_has_room() -> None:
    out, stream = screen(80)
    long = "a rather long name that somebody gave it.bin"
    out.table([(Name(long), "185,780", "aggregated"), (Name("x.bin"), "2,000", "image-v1")])

    assert stream.getvalue().splitlines() == [
        f"  {long}  185,780  aggregated",
        "  x.bin" + " " * 41 + "2,000    image-v1",
    ]


def test_a_text_without_room_beside_the_columns_goes_below_them() -> None:
    out, stream = screen(40)
    out.table([("observation of the stub", "holds", "the digest is right"), ("another", "no", "seen")])
    out.table([("wider than the screen", "and even more so", "x"), ("narrow", "", "")])

    assert stream.getvalue().splitlines() == [
        "  observation of the stub  holds",
        "    the digest is right",
        "  another                  no     seen",
        "  wider than the screen  and even more so",
        "    x",
        "  narrow",
    ]


# Errors.


@given(names(), prose, widths)
def test_an_error(name: str, message: str, width: int) -> None:
    error = FormatError(message or "it is wrong", source=name, offset=16, expected="E9", found=Name(name))
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(stream):
        patch.setattr(text, "_WIDTH", width)
        show_error(error, "imgtool inspect FILE shows what a file is and what is wrong with it")

    check(stream.getvalue(), width, name)
    assert f"error:{solid(str(error))}hint:" in solid(stream.getvalue())


def test_the_words_of_an_error_are_those_that_programs_get() -> None:
    error = ImgtoolError("it is wrong", source="a b.bin", offset=1, expected=2, found=Name("c d.bin"))

    assert (
        str(error) == error.phrase == "a b.bin: it is wrong at offset 0x00001 (expected 0x02, found c d.bin)"
    )
    assert [piece for piece in error.phrase.pieces if isinstance(piece, Name)] == ["a b.bin", "c d.bin"]
    assert type(str(error)) is str


# Phrases.


def test_a_phrase_is_a_string_that_knows_its_names() -> None:
    phrase = Phrase("from ", Path("a b") / "c", " to ", Phrase(Name("d e"), "."))

    assert phrase == f"from {Path('a b') / 'c'} to d e."
    assert phrase.pieces == ("from ", str(Path("a b") / "c"), " to ", "d e", ".")
    assert [isinstance(piece, Name) for piece in phrase.pieces] == [False, True, False, True, False]
    assert pickle.loads(pickle.dumps(phrase)).pieces == phrase.pieces  # noqa: S301 - made here
    assert (has_name(phrase), has_name("d e"), has_name(Name("d e"))) == (True, False, True)


def test_phrases_are_joined_with_their_names() -> None:
    assert Phrase.joined(", ", [Name("a b"), "c", Path("d")]).pieces == ("a b", ", ", "c", ", ", "d")
    assert Phrase.joined(", ", []) == ""


def test_words_that_somebody_else_quotes_are_names() -> None:
    quoted = Phrase.quoting("Got unexpected extra argument (my file.bin)", ["my file.bin", "extra"])

    assert quoted.pieces == ("Got unexpected extra argument (", "my file.bin", ")")
    assert isinstance(pieces_of(quoted)[1], Name)
