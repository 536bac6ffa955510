"""What typed keys come to."""

from __future__ import annotations

import pytest

from imgtool.cli.input.typing_keys import Action, Typing

UP, DOWN = "\x1b[A", "\x1bOB"


@pytest.mark.parametrize(
    ("typed", "sent", "draft"),
    [
        ("print(1)\n", [b"print(1)\r\n"], ""),
        ("a\rb\r", [b"a\r\n", b"b\r\n"], ""),
        ("\n", [b"\r\n"], ""),
        ("ab\x7fc", [], "ac"),
        ("\x7f\x08x", [], "x"),
        ("abc\x15d", [], "d"),
        ("\tx", [], "\tx"),
        ("gr\u00fcn\n", ["gr\u00fcn\r\n".encode()], ""),
        ("\x1b[D\x1b[3~\x1b", [], ""),
        ("\x04", [b"\x04"], ""),
        (f"one\ntwo\n{UP}", [b"one\r\n", b"two\r\n"], "two"),
        (f"one\ntwo\n{UP}{UP}{UP}\n", [b"one\r\n", b"two\r\n", b"one\r\n"], ""),
        (f"one\none\n{UP}{UP}{DOWN}", [b"one\r\n", b"one\r\n"], ""),
        (DOWN, [], ""),
    ],
    ids=repr,
)
def test_a_line_is_edited_and_sent(typed: str, sent: list[bytes], draft: str) -> None:
    whole, single = Typing(b"\r\n"), Typing(b"\r\n")

    assert (whole.press(typed), whole.draft) == (sent, draft)
    if "\x1b" not in typed:
        assert [result for key in typed for result in single.press(key)] == sent


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("ab", [b"a", b"b"]),
        ("\n", [b"\n"]),
        ("\r", [b"\n"]),
        ("\x7f", [b"\b"]),
        (UP, [b"\x1b[A"]),
        ("\t", [b"\t"]),
        ("\u00fc", ["\u00fc".encode()]),
    ],
    ids=repr,
)
def test_every_key_at_once(typed: str, sent: list[bytes]) -> None:
    assert Typing(b"\n", at_once=True).press(typed) == sent


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("typed", "results"),
    [
        ("\x1d", [Action.END]),
        ("\x03", [Action.INTERRUPT]),
        ("\x14r", [Action.RESET]),
        ("\x14R", [Action.RESET]),
        ("\x14\x12", [Action.RESET]),
        ("\x14p", [Action.LOADER]),
        ("\x14\x10", [Action.LOADER]),
        ("\x14b", [Action.SPEED]),
        ("\x14h", [Action.HELP]),
        ("\x14\x08", [Action.HELP]),
        ("\x14?", [Action.HELP]),
        ("\x14q", [Action.END]),
        ("\x14c", [b"\x03"]),
        ("\x14\x03", [b"\x03"]),
        ("\x14t", [b"\x14"]),
        ("\x14\x14", [b"\x14"]),
        ("\x14\x1d", [b"\x1d"]),
    ],
    ids=lambda value: repr(value) if isinstance(value, str) else "",
)
def test_keys_of_the_monitor(typed: str, results: list[Action | bytes], at_once: bool) -> None:
    assert Typing(b"\n", at_once=at_once).press(typed) == results


def test_no_end_of_line() -> None:
    assert Typing(b"").press("AT\n") == [b"AT"]
