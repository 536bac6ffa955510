"""Scripts for a firmware's prompt: their form, and what of an answer is as it must be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.engine.jobs.virtual.script import Deed, Step, difference, parse_script
from imgtool.errors import FormatError

ALL = """
# a comment
/powered/
> print(1+1)
2
:wait 30
> f()
...
/end \\d+/
\\> not typed
:restart
:reset
/again/
"""


def step(*answers: str, typed: str = "f()") -> Step:
    return parse_script("\n".join((f"> {typed}", *answers)), "s.txt")[1]


def test_each_line_is_what_it_begins_with() -> None:
    steps = parse_script(ALL, "s.txt")

    assert [(each.line, each.deed, each.typed, each.seconds) for each in steps] == [
        (0, Deed.START, "", 10.0),
        (4, Deed.TYPE, "print(1+1)", 10.0),
        (7, Deed.TYPE, "f()", 30.0),
        (11, Deed.RESTART, "", 30.0),
        (12, Deed.RESET, "", 30.0),
    ]
    assert [[answer.text for answer in each.answers] for each in steps] == [
        ["powered"],
        ["2"],
        [None, "end \\d+", "> not typed"],
        [],
        ["again"],
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (":what", 1),
        ("> a\n:wait", 2),
        (":wait 0", 1),
        (":wait soon", 1),
        (":wait 9999", 1),
        (":restart now", 1),
        ("\n/open", 2),
        ("/(/", 1),
    ],
)
def test_what_is_none_of_a_script_is_refused_by_its_line(text: str, line: int) -> None:
    with pytest.raises(FormatError, match=f"line {line} is none of a script") as caught:
        parse_script(text, "s.txt")
    assert caught.value.source == "s.txt"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((), "anything\nat all"),
        (("2",), "2"),
        (("2",), "\n  2 \n"),
        (("a", "b"), "a\nb"),
        (("/\\d+/",), "heap: 40"),
        (("...", "b"), "x\ny\nb"),
        (("a", "..."), "a\nx\ny"),
        (("a", "...", "c"), "a\nc"),
        (("...",), ""),
    ],
)
def test_what_is_as_it_must_be(answers: tuple[str, ...], said: str) -> None:
    assert difference(step(*answers), said) is None


@pytest.mark.parametrize(
    ("answers", "said", "wanted", "came"),
    [
        (("2",), "3", "2", "3"),
        (("2",), "", "2", None),
        (("2",), "2\n3", None, "3"),
        (("a", "b"), "b\na", "a", "b"),
        (("...", "b"), "x\ny", "b", "y"),
        (("a", "...", "c"), "a\nb", "c", "b"),
        (("/^\\d+$/",), "1x", "^\\d+$", "1x"),
    ],
)
def test_what_is_not(answers: tuple[str, ...], said: str, wanted: str | None, came: str | None) -> None:
    wrong = difference(step(*answers), said)

    assert wrong is not None
    answer, line = wrong
    assert (None if answer is None else answer.text, line) == (wanted, came)


def test_what_a_start_says_has_other_lines_between() -> None:
    (start,) = parse_script("/one/\n/three/", "s.txt")

    assert difference(start, "zero\none\ntwo\nthree\nfour") is None
    assert difference(start, "three\none") is not None


LINES = st.lists(
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1), max_size=8
)


@given(LINES)
def test_an_answer_as_it_came_is_right(lines: list[str]) -> None:
    """What was said, taken down as a script, is what must come."""
    script = "\n".join(["> f()", *("\\" + line for line in lines)])
    wanted = parse_script(script, "s.txt")[1]

    assert difference(wanted, "\n".join(lines)) is None
    if lines:
        assert difference(wanted, "\n".join([*lines, "more"])) is not None
        assert difference(wanted, "\n".join(lines[:-1])) is not None
