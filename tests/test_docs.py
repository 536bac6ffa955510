"""The documentation says what the tool does: its examples are run, its tables are complete.

A console block below a comment line ``% run: FOLDER`` is run in that folder of a copy of the fixtures; the
blocks of one page share the copy.  ``python -m tests.test_docs`` puts the real outputs into the pages.
"""

from __future__ import annotations

import ast
import doctest
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from imgtool.cli.app import ALIASES, COMMANDS, main
from imgtool.engine.verdicts import EXIT_CODES
from imgtool.formats.reading import FileKind, PartKind
from imgtool.formats.registry import FORMATS
from imgtool.operations.flashing.waivers import CHECKS
from imgtool.operations.proof.assumptions import ASSUMPTIONS
from tests.support import IMAGES, PATIENCE

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
BLOCK = re.compile(
    r"^(?P<i> *)% run: (?P<dir>\S+)\n(?P=i)```console\n(?P<body>.*?)^(?P=i)```$", re.MULTILINE | re.DOTALL
)
END = "@@@end@@@"
WITH_EXAMPLES = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


ENVIRONMENT = {"COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1"}
FOR_A_SHELL = re.compile(r"[^\w\s./:@=,+-]")
CODE = "echo $?"


def outputs(commands: list[str], folder: Path) -> list[str]:
    """What each command line prints; $? is the code of the one before.

    A process a command costs more time than most commands take: what needs no shell runs in this one.
    """
    if any(command != CODE and FOR_A_SHELL.search(command) for command in commands) or not all(
        command == CODE or command.startswith("imgtool ") for command in commands
    ):
        return in_a_shell(commands, folder)
    shown, code = [], 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        for command in commands:
            if command == CODE:
                shown.append(f"{code}\n")
                continue
            code, output = in_this_process(command)
            shown.append(output)
    return shown


def in_this_process(command: str) -> tuple[int, str]:
    """Exit code and output of one command, errors between the answers as on a terminal."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    code: object = 0
    with redirect_stdout(stream), redirect_stderr(stream):
        try:
            main(command.split()[1:])
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int | None)
    return code or 0, raw.getvalue().decode()


def in_a_shell(commands: list[str], folder: Path) -> list[str]:
    """What each command line prints in one bash."""
    steps = "".join(f"{{ (exit $s); {command}\n}} 2>&1; s=$?; echo '{END}'\n" for command in commands)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set +e; s=0\n{steps}"],  # noqa: S607 - the shell that the pages are for
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "PATH": tools},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return done.stdout.split(END + "\n")[:-1]


def refreshed(text: str, folder: Path) -> str:
    """The page with the output that its commands print now."""

    def run(match: re.Match[str]) -> str:
        indent = match["i"]
        lines = [line.strip() for line in match["body"].splitlines()]
        commands = [line[2:] for line in lines if line.startswith("$ ")]
        if "jq" in match["body"] and shutil.which("jq") is None:
            return match[0]  # a tool that not every machine has; the commands before it made its input
        shown: list[str] = []
        for command, output in zip(commands, outputs(commands, folder / match["dir"]), strict=True):
            shown += [f"$ {command}", *(line.rstrip() for line in output.rstrip().splitlines())]
        body = "".join(f"{indent}{line}".rstrip() + "\n" for line in shown)
        return f"{indent}% run: {match['dir']}\n{indent}```console\n{body}{indent}```"

    return BLOCK.sub(run, text)


def copy_fixtures(folder: Path, text: str) -> None:
    """The fixtures of the folders that a page names: all of them are 50 MB."""
    for name, content in IMAGES.items():
        if name.partition("/")[0] not in text:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_examples_are_what_the_tool_prints(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    copy_fixtures(tmp_path, text)

    assert refreshed(text, tmp_path) == text


def test_examples_in_python_give_what_the_page_says() -> None:
    failed, tried = doctest.testfile(str(DOCS / "python-api.md"), module_relative=False)

    assert tried
    assert not failed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(name: str) -> None:
    assert f"\n## {name}\n" in (DOCS / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ALIASES)
def test_every_name_of_esptool_is_described(name: str) -> None:
    assert f"`{name}" in (DOCS / "how-to" / "from-esptool.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ASSUMPTIONS)
def test_every_assumption_about_the_stub_is_described(name: str) -> None:
    assert f"`{name}`" in (DOCS / "stub.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [*FileKind, *PartKind])
def test_every_kind_is_described(kind: FileKind | PartKind) -> None:
    assert f"`{kind}`" in (DOCS / "json.md").read_text(encoding="utf-8")


def test_every_finding_is_described_with_its_severity() -> None:
    table = (DOCS / "json.md").read_text(encoding="utf-8").partition("## Finding codes")[2]
    rows = [line.split(" | ", 2) for line in table.splitlines() if line.startswith("| `")]
    described: dict[str, str] = {}
    for names, severities, _ in rows:
        for code in re.findall(r"`([\w.-]+)`", names.partition(" of ")[0]):
            described[code] = f"{described.get(code, '')} {severities}"
    said = {*_findings(), *((f"forced-{check}", "warning") for check in CHECKS)}

    assert len(said) > len(rows) / 2
    assert sorted(pair for pair in said if pair[1] not in described.get(pair[0], "")) == []


def _findings() -> Iterator[tuple[str, str]]:
    """Code and severity of every finding that the source spells out."""
    helpers = {"error": "error", "say": "error"}  # of the formats
    for path in (ROOT / "imgtool").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if name == "Finding" and len(call.args) > 1:
                severities = [a.attr.lower() for a in ast.walk(call.args[0]) if isinstance(a, ast.Attribute)]
                code = call.args[1]
            elif name in helpers and "formats" in path.relative_to(ROOT).parts:
                severities, code = [helpers[name]], call.args[0]
            else:
                continue
            codes = (code.body, code.orelse) if isinstance(code, ast.IfExp) else (code,)
            for each in codes:
                if isinstance(each, ast.Constant):
                    yield from ((str(each.value), severity) for severity in severities)


@pytest.mark.parametrize("code", [0, 1, *EXIT_CODES.values(), 70, 130])
def test_every_exit_code_is_described(code: int) -> None:
    assert re.search(rf"^\| {code} +\|", (DOCS / "exit-codes.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: str(form.module))
def test_every_format_has_a_page_that_its_module_names(form: object) -> None:
    module = str(getattr(form, "module", ""))
    source = (ROOT / "imgtool" / "formats" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    named = re.findall(r"docs/formats/[\w-]+\.md", source)

    assert named
    assert all((ROOT / page).exists() for page in named)


if __name__ == "__main__":
    import tempfile

    for each in WITH_EXAMPLES:
        with tempfile.TemporaryDirectory() as scratch:
            old = each.read_text(encoding="utf-8")
            copy_fixtures(Path(scratch), old)
            new = refreshed(old, Path(scratch))
        each.write_text(new, encoding="utf-8")
