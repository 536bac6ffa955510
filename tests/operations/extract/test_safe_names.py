from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgtool.operations.extract.safe_names import safe_paths


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("init.lua", "init.lua"),
        ("www/index.html", "www/index.html"),
        ("/index.html", "index.html"),
        ("//a//b", "a/b"),
        ("../x", "__/x"),
        ("a/../../x", "a/__/__/x"),
        (".", "_"),
        ("", "_"),
        ("/", "_"),
        ("C:\\x", "C__x"),
        ("a\x00b\x1b[2J", "a_b_[2J"),
        ("NUL", "_NUL"),
        ("com1.txt", "_com1.txt"),
        ("console.lua", "console.lua"),
        ("end. ", "end__"),
        (".hidden", ".hidden"),
        ("what?*", "what__"),
        ("ü.txt", "ü.txt"),
    ],
)
def test_one_name(name: str, safe: str) -> None:
    assert safe_paths([name]) == (safe,)


@pytest.mark.parametrize(
    ("names", "safe"),
    [
        (["a.txt", "a.txt"], ("a.txt", "a~2.txt")),
        (["README", "readme", "Readme"], ("README", "readme~2", "Readme~3")),
        (["a", "a/b"], ("a", "a~2/b")),
        (["a/b", "a"], ("a/b", "a~2")),
        (["a/b", "A/c", "A/B"], ("a/b", "A/c", "A/B~2")),
        (["u\u0308", "\u00fc"], ("u\u0308", "\u00fc~2")),
        (["x~2", "x", "x"], ("x~2", "x", "x~3")),
    ],
)
def test_clashes(names: list[str], safe: tuple[str, ...]) -> None:
    assert safe_paths(names) == safe


def test_reserved() -> None:
    assert safe_paths(["Manifest.json"], ["manifest.json"]) == ("Manifest~2.json",)


def test_long_names() -> None:
    (name,) = safe_paths(["ä" * 300])
    assert len(name.encode()) <= 200


HOSTILE = st.lists(st.sampled_from([*"aA.:\\/~ 2\x00ü", "..", "nul", "/../"]), max_size=8).map("".join)


@given(names=st.lists(HOSTILE, max_size=12))
def test_always_below_one_folder_and_all_different(names: list[str]) -> None:
    paths = safe_paths(names)
    keys = [unicodedata.normalize("NFC", path).casefold() for path in paths]

    assert len(set(keys)) == len(names)
    folders = {key.rsplit("/", depth)[0] for key in keys for depth in range(1, key.count("/") + 1)}
    assert not folders & set(keys)
    for path in paths:
        assert all(part.strip(". ") and not set(part) & set("\\:\x00") for part in path.split("/"))
