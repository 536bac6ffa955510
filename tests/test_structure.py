"""The shape of the package: folders are families, imports have no circles, each folder says what it is.

What a folder may import is import-linter's, in pyproject.toml.  Here stands what that cannot see: sizes,
names, and circles between modules, imports for type checkers and imports inside functions included.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "imgtool"
FOLDERS: Final = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
MODULES: Final = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# The changelog speaks of what was.
PAGES: Final = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {ROOT / "CHANGELOG.md"})
SOURCES: Final = sorted(
    path for folder in ("docs", "fixtures", "imgtool", "tests") for path in (ROOT / folder).rglob("*.py")
)
MENTIONED: Final = re.compile(r"(?<![\w./<{-])((?:[\w.-]+/)*(?!__)[a-z_][a-z0-9_]*\.py)\b")
HOMES: Final = {home for path in SOURCES for home in path.parents if home.is_relative_to(ROOT)}
NAMING_COMMENT: Final = re.compile(r"#.*(?:\.py\b|imgtool\.)")
MAP: Final = re.compile(r"<!-- made by docs/module_map\.py: begin -->.*?<!-- end -->", re.DOTALL)
DOTTED: Final = re.compile(r"(?<![\w./-])imgtool(?:\.[A-Za-z_]\w*)+")
# Sources of formats that other projects publish, by the last part of their names.
OF_OTHERS: Final = {
    "gen_appbin.py": "Espressif's NONOS SDK: makes version-2 images",
    "gen_esp32part.py": "Espressif's RTOS SDK: makes partition tables",
    "elf2bin.py": "the Arduino core: makes images",
    "makeimg.py": "MicroPython: makes images",
    "inisetup.py": "MicroPython: makes the file system at the first boot",
}
GIT: Final = shutil.which("git")
MOST_MODULES: Final = 20
MOST_LINES: Final = 12  # of the docstring of a package
# Folders are named in the plural or as a verb's noun; their modules must not say it again.
STEMS: Final = {"flashing": "flash", "watching": "watch", "building": "build", "commands": "command"}


def names(folders: list[Path]) -> list[str]:
    return [folder.relative_to(ROOT).as_posix() for folder in folders]


@pytest.mark.parametrize("folder", FOLDERS, ids=names(FOLDERS))
def test_no_folder_holds_more_than_a_reader_can_survey(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES


@pytest.mark.parametrize("folder", FOLDERS[1:], ids=names(FOLDERS[1:]))
def test_modules_do_not_repeat_the_name_of_their_folder(folder: Path) -> None:
    stem = STEMS.get(folder.name, folder.name.rstrip("s"))

    assert [path.name for path in folder.glob("*.py") if path.stem.startswith(stem)] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=names(FOLDERS))
def test_a_package_says_what_is_in_it_what_is_not_and_what_it_may_import(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree) or ""

    assert docstring
    if folder == PACKAGE:
        return  # the public names: test_public_api.py
    assert len(tree.body) == 1, (
        "a package is imported with each of its modules: nothing but its docstring is in it"
    )
    assert len(docstring.splitlines()) <= MOST_LINES
    assert any(word in docstring for word in ("No ", "Not ", "Nothing ", "no "))
    assert "ay import" in docstring


def imported(path: Path) -> Iterator[str]:
    """Every module of the package that a module imports, wherever in it and for whatever reason."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in MODULES:
                    yield inner
                elif node.module in MODULES:
                    yield node.module


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """What reaches itself, grouped: the strongly connected components of more than one (Tarjan)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        path.append(name)
        for other in arrows.get(name, ()):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in path:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            group = path[path.index(name) :]
            del path[path.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in arrows:
        if name not in order:
            visit(name)
    return found


def arrows_between_modules() -> dict[str, set[str]]:
    # The package itself lists public names for type checkers: an arrow to everything, and none back.
    return {
        name: set(imported(path)) - {name, "imgtool"} for name, path in MODULES.items() if name != "imgtool"
    }


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_module_imports_itself_through_others() -> None:
    assert circles(arrows_between_modules()) == []


def test_no_folder_imports_itself_through_others() -> None:
    """Folders as a whole; in one that holds folders, such as formats, each module stands for itself."""
    holders = {folder.parent for folder in FOLDERS}

    def folder_of(module: str) -> str:
        path = MODULES[module]
        return module if path.name == "__init__.py" or path.parent in holders else module.rpartition(".")[0]

    arrows: dict[str, set[str]] = {}
    for module, others in arrows_between_modules().items():
        folder = folder_of(module)
        arrows.setdefault(folder, set()).update({folder_of(other) for other in others} - {folder})

    assert circles(arrows) == []


def prose(path: Path) -> str:
    """The docstrings and comments of a module; a page but for the map, which is made from the modules."""
    if path.suffix == ".md":
        return MAP.sub("", path.read_text(encoding="utf-8"))
    makers = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, makers)]
    if NAMING_COMMENT.search(path.read_text(encoding="utf-8")):  # few have one, and this is slow
        with path.open("rb") as source:
            tokens = tokenize.tokenize(source.readline)
            words += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return "\n".join(words)


def missing_modules(text: str, path: Path) -> Iterator[str]:
    """The modules that the text of a file names and that are not there.

    A module names its neighbours, and what can be seen from the folders above.  A page says in its own words
    where a module is: there is one of that name.
    """
    above = [folder for folder in path.parents if folder.is_relative_to(ROOT)]
    homes = HOMES if path.suffix == ".md" else [*above, PACKAGE]
    for name in MENTIONED.findall(text):
        if name.rpartition("/")[2] not in OF_OTHERS and not any((home / name).is_file() for home in homes):
            yield name


def sets_itself(kind: type, attribute: str) -> bool:
    return attribute in kind.__annotations__ or f"self.{attribute}" in inspect.getsource(kind)


def missing_objects(text: str) -> Iterator[str]:
    """The dotted names under the package that lead to nothing."""
    for name in DOTTED.findall(text):
        module, _, rest = name, "", ""
        while module not in MODULES:
            module, _, last = module.rpartition(".")
            rest = f"{last}.{rest}"
        value: object = importlib.import_module(module) if rest else None
        for part in filter(None, rest.split(".")):
            if not hasattr(value, part) and not (isinstance(value, type) and sets_itself(value, part)):
                yield name
                break
            value = getattr(value, part, None)


def test_missing_modules_are_found() -> None:
    text = "imgtool/cli/app.py, `gone.py`, run/boards.py, `makeimg.py`, imgtool/layout.py, reset.py, https://a/c.py"

    assert list(missing_modules(text, PACKAGE / "cli" / "input" / "files.py")) == [
        "gone.py",
        "imgtool/layout.py",
        "reset.py",
    ]
    assert list(missing_modules(text, ROOT / "docs" / "index.md")) == ["gone.py", "imgtool/layout.py"]
    assert list(missing_objects("imgtool.inspect, imgtool.chip.MAGIC, :mod:`imgtool.cli.render`")) == [
        "imgtool.chip.MAGIC",
        "imgtool.cli.render",
    ]


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=names([*SOURCES, *PAGES]))
def test_every_module_that_a_text_names_is_there(path: Path) -> None:
    text = prose(path)

    assert list(missing_modules(text, path)) == []
    assert list(missing_objects(text)) == []


def test_the_map_of_modules_is_made_from_their_docstrings() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "module_map.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


ARCHITECTURE: Final = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
NAMED_TESTS: Final = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", ARCHITECTURE)))
GLOSSARY: Final = re.findall(r"^\|[^|]+\|[^|]+\| `(imgtool(?:\.\w+)+)` \|$", ARCHITECTURE, re.MULTILINE)


@pytest.mark.parametrize(("file", "test"), NAMED_TESTS)
def test_the_tests_that_the_page_names_are_there(file: str, test: str) -> None:
    if "NAME" in file:
        return  # of a format to come

    source = (ROOT / file).read_text(encoding="utf-8")
    assert not test or f"def {test}(" in source


@pytest.mark.parametrize("name", GLOSSARY)
def test_the_names_of_the_glossary_are_those_of_the_code(name: str) -> None:
    home, _, inner = name.rpartition(".")
    module = importlib.import_module(name if name in MODULES else home)

    assert name in MODULES or hasattr(module, inner)


def test_the_glossary_is_read() -> None:
    assert len(GLOSSARY) > 20
    assert len(NAMED_TESTS) > 10


@pytest.mark.skipif(GIT is None, reason="not installed: git")
def test_two_people_can_add_lines_to_the_changelog_at_once(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = [str(GIT), *identity, *words]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

    log, attributes = tmp_path / "CHANGELOG.md", ROOT / ".gitattributes"
    git("init", "-b", "main")
    (tmp_path / ".gitattributes").write_text(attributes.read_text(encoding="utf-8"), encoding="utf-8")
    log.write_text("# Changelog\n\n- first\n", encoding="utf-8")
    git("add", ".")
    git("commit", "-m", "start")
    for branch, line in (("one", "- of one\n"), ("two", "- of two\n")):
        git("checkout", "-b", branch, "main")
        log.write_text(f"# Changelog\n\n- first\n{line}", encoding="utf-8")
        git("commit", "-am", branch)
    git("merge", "one", "-m", "both")

    assert sorted(log.read_text(encoding="utf-8").splitlines()[2:]) == ["- first", "- of one", "- of two"]
