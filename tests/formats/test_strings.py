"""The strings in a file: an answer that is the same as a plain search, only quicker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.formats.strings import Strings

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=3)


@given(data=st.binary(max_size=64), text=PRINTABLE.map(str.encode))
def test_it_answers_like_a_search(data: bytes, text: bytes) -> None:
    assert Strings(data).have(text) is (text in data)
    assert Strings(data + text + data).have(text)


@pytest.mark.parametrize("data", [b"WL\0ED", b"WL\xffED", b"WL\nED", b"", b"wled"])
def test_what_is_apart_is_no_text(data: bytes) -> None:
    assert not Strings(data).have_any(b"WLED", b"ESPURNA")
