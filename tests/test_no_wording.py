"""No module decides by the words of an error, a finding or what stays: the syntax of the whole package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import imgtool

PACKAGE = Path(imgtool.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
WORDS = {"message", "expected", "found", "why", "sentence", "phrase"}
SEARCHES = {"startswith", "endswith", "find", "index", "count", "partition", "rpartition", "split"}

MATCHES = {"search", "match", "fullmatch", "findall"}

MEANT = {
    # The words of a library that has no classes for it, cut for a message; nothing else hangs on them.
    ("formats/containers/gzip_file.py", "str(error).rpartition(': ')"),
    # Whether a finding after a change is one that was there before: all of it is compared but the offset.
    ("operations/patch/steps.py", "(f.code, f.message) not in known"),
    # Whether there is something new to show; nothing else hangs on it.
    ("cli/show/progress.py", "event.message != row.message"),
}


def _is_words(node: ast.AST) -> bool:
    """Whether a value is a sentence: a field that holds one, or ``str`` of what is called an error."""
    if isinstance(node, ast.Attribute):
        return node.attr in WORDS
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        return isinstance(node.args[0], ast.Name) and node.args[0].id in {"error", "problem", "failure"}
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) and _is_words(part.value) for part in node.values)
    return isinstance(node, ast.Tuple) and any(_is_words(each) for each in node.elts)


def _decisions(tree: ast.AST) -> Iterator[ast.AST]:
    """What compares words, or searches in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            identity = all(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops)
            if not identity and any(map(_is_words, (node.left, *node.comparators))):
                yield node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            searched = node.func.attr in SEARCHES and _is_words(node.func.value)
            matched = node.func.attr in MATCHES and any(map(_is_words, node.args))
            if searched or matched:
                yield node
        elif isinstance(node, ast.Match) and _is_words(node.subject):
            yield node


def _found() -> set[tuple[str, str]]:
    return {
        (path.relative_to(PACKAGE).as_posix(), ast.unparse(node))
        for path in SOURCES
        for node in _decisions(ast.parse(path.read_text(encoding="utf-8")))
    }


def test_nothing_decides_by_the_words_of_a_message() -> None:
    assert _found() == MEANT


@pytest.mark.parametrize(
    "source",
    [
        "error.expected == 'an answer to SYNC'",
        "'flasher stub' in error.message",
        "'flasher stub' in str(error)",
        "kept.why in ('', FORMATTED)",
        "str(error).startswith(port)",
        "f'{error.message} '.endswith('. ')",
        "re.search('stub', problem.message)",
    ],
)
def test_such_a_decision_is_seen(source: str) -> None:
    assert list(_decisions(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "error.expected is None",
        "isinstance(error, StubError)",
        "error.status == b'x'",
        "print(str(error))",
    ],
)
def test_what_goes_by_classes_and_fields_is_not(source: str) -> None:
    assert not list(_decisions(ast.parse(source)))
