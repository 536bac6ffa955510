"""The commands have no logic: each prints the document of a job; none makes one, or an exit code, itself."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from imgtool.cli.app import COMMANDS
from imgtool.device import port_list
from imgtool.device.host_ports import PortInfo
from imgtool.engine.documents import text_of
from imgtool.engine.inputs import FolderFile, InputFile
from imgtool.engine.jobs import advise as advising
from imgtool.engine.jobs import build as building
from imgtool.engine.jobs import compare as comparing
from imgtool.engine.jobs import erase as erasing
from imgtool.engine.jobs import explain as explaining
from imgtool.engine.jobs import extract as extracting
from imgtool.engine.jobs import flash as flashing
from imgtool.engine.jobs import fullimage as making
from imgtool.engine.jobs import id as identifying
from imgtool.engine.jobs import inspect as inspecting
from imgtool.engine.jobs import merge as merging
from imgtool.engine.jobs import monitor as monitoring
from imgtool.engine.jobs import patch as patching
from imgtool.engine.jobs import ports as listing
from imgtool.engine.jobs import prove as proving
from imgtool.engine.jobs import read as reading
from imgtool.engine.jobs import split as splitting
from imgtool.engine.jobs import verify as verifying
from imgtool.engine.jobs.files import changing as changing_files
from imgtool.engine.jobs.files import getting as getting_files
from imgtool.engine.jobs.files import listing as listing_files
from imgtool.engine.jobs.files import making as making_files
from imgtool.operations.proof import observations
from imgtool.operations.proof.assumptions import Amounts
from tests.boot_logs import CSUM_ERR, LOADS
from tests.engine.jobs.boards import MAC, ROM, board
from tests.support import IMAGES, Command, Put, aggregate

if TYPE_CHECKING:
    from imgtool.engine.results import Result

ROOT: Final = Path(__file__).parents[2]
CLI: Final = ROOT / "imgtool" / "cli"

# The same document by command and by job.

WHOLE: Final = InputFile("whole.bin", aggregate("sample"))
HALVES: Final = tuple(
    InputFile(f"{name}.bin", IMAGES[f"sample/{name}.bin"], int(name, 16)) for name in ("0x00000", "0x10000")
)
ELF: Final = InputFile("app.elf", IMAGES["elf/app.elf"])
OTHER: Final = InputFile("other.bin", WHOLE.data[:-1] + b"\x55")
LOG: Final = InputFile("boot.log", (LOADS + CSUM_ERR).encode())
DATA: Final = InputFile("data.bin", bytes(range(256)) * 4, 0x40000)
STORED: Final = InputFile("fs.bin", IMAGES["spiffs/files-linear.bin"])
OWN: Final = FolderFile("data.bin", DATA.data, "data.bin")
FILES: Final = (WHOLE, *HALVES, ELF, OTHER, LOG, DATA, STORED)

PORT: Final = ("-p", f"sim:512KB,mac={MAC}")
BOARD: Final = (*PORT, "--stub", "none")
ADAPTER: Final = PortInfo(
    path="/dev/ttyUSB0",
    adapter="CH340",
    driver="ch341-uart",
    vid=0x1A86,
    pid=0x7523,
    serial_number=None,
    product="USB Serial",
    likely=True,
)
LITTLE: Final = Amounts(
    requests=2, by_registers=64, digest=0x4000, read=512, write=0x2000, burst=0x800, sectors=1, blocks=2
)


class Case(NamedTuple):
    """A command and its job.

    Attributes:
        words: What the command is given.
        job: Does the same; it is given what the command has printed, which may have a time in it.
    """

    words: tuple[str, ...]
    job: Callable[[str], Result]


def monitored() -> Result:
    watched = monitoring.Monitor(board(), monitoring.MonitorRequest(seconds=1))
    while not watched.over:
        watched.step()
    return watched.result()


def proved(printed: str) -> Result:
    moment = datetime.fromisoformat(json.loads(printed)["results"][0]["date"])
    request = proving.ProveRequest(moment=moment, keep=lambda _: None, drop=lambda _: None)
    return proving.prove(board(), request)


CASES: Final = {
    "inspect": Case(
        ("whole.bin", "app.elf"),
        lambda _: inspecting.inspect(inspecting.InspectRequest((WHOLE, ELF))),
    ),
    "merge": Case(
        ("0x00000.bin", "0x10000.bin", "-o", "made.bin"),
        lambda _: merging.merge(merging.MergeRequest(files=HALVES, output="made.bin")),
    ),
    "split": Case(
        ("whole.bin", "-o", "parts"),
        lambda _: splitting.split(splitting.SplitRequest(WHOLE, "parts")),
    ),
    "fullimage": Case(
        ("--size", "512KB", "0x00000.bin", "0x10000.bin", "-o", "flash.bin"),
        lambda _: making.fullimage(making.FullImageRequest(files=HALVES, size="512KB", output="flash.bin")),
    ),
    "build": Case(("app.elf",), lambda _: building.build(building.BuildRequest(elf=ELF))),
    "patch": Case(
        ("whole.bin", "--mode", "dio", "-o", "patched.bin"),
        lambda _: patching.patch(patching.PatchRequest(file=WHOLE, output="patched.bin", mode="dio")),
    ),
    "extract": Case(
        ("whole.bin", "-o", "taken"),
        lambda _: extracting.extract(extracting.ExtractRequest(file=WHOLE, output="taken")),
    ),
    "compare": Case(
        ("whole.bin", "other.bin"),
        lambda _: comparing.compare(comparing.CompareRequest(WHOLE, OTHER)),
    ),
    "advise": Case(
        ("whole.bin", "other.bin", "--flash-size", "512KB"),
        lambda _: advising.advise(
            advising.AdviseRequest(
                files=(OTHER,), old=(WHOLE,), old_name="whole.bin", size="512KB", spelled=("other.bin",)
            )
        ),
    ),
    "explain": Case(
        ("boot.log",),
        lambda _: explaining.explain(explaining.ExplainRequest(log=LOG.data, name=LOG.name)),
    ),
    "files list": Case(
        ("fs.bin", "*.lua"),
        lambda _: listing_files.list_files(listing_files.ListFilesRequest(image=STORED, patterns=("*.lua",))),
    ),
    "files get": Case(
        ("fs.bin", "*.lua", "-o", "out"),
        lambda _: getting_files.get_files(
            getting_files.GetFilesRequest(image=STORED, patterns=("*.lua",), output="out")
        ),
    ),
    "files put": Case(
        ("fs.bin", "data.bin", "-o", "changed.bin"),
        lambda _: changing_files.put_files(
            changing_files.PutFilesRequest(files=(OWN,), image=STORED, output="changed.bin")
        ),
    ),
    "files remove": Case(
        ("fs.bin", "*.lua", "-o", "changed.bin"),
        lambda _: changing_files.remove_files(
            changing_files.RemoveFilesRequest(patterns=("*.lua",), image=STORED, output="changed.bin")
        ),
    ),
    "files make": Case(
        ("data.bin", "-o", "made.bin", "--for", "arduino-spiffs-1m64"),
        lambda _: making_files.make_files(
            making_files.MakeFilesRequest(files=(OWN,), output="made.bin", target="arduino-spiffs-1m64")
        ),
    ),
    "flash": Case(
        ("0x40000", "data.bin", *BOARD),
        lambda _: flashing.flash(board(), flashing.FlashRequest(files=(DATA,), connect=ROM)),
    ),
    "verify": Case(
        ("0x40000", "data.bin", *BOARD),
        lambda _: verifying.verify(board(), verifying.VerifyRequest(files=(DATA,), connect=ROM)),
    ),
    "read": Case(
        ("0", "1K", "-o", "read.bin", *BOARD),
        lambda _: reading.read(
            board(), reading.ReadRequest(address=0, size=1024, output="read.bin", connect=ROM)
        ),
    ),
    "erase": Case(
        ("0x1000", "4K", *BOARD),
        lambda _: erasing.erase(
            board(), erasing.EraseRequest(erasing.whole_sectors(0x1000, 0x1000, ("0x1000", "4K")), ROM)
        ),
    ),
    "id": Case(BOARD, lambda _: identifying.identify(board(), identifying.IdRequest(connect=ROM))),
    "prove": Case(PORT, proved),
    "monitor": Case((*PORT, "--seconds", "1"), lambda _: monitored()),
    "ports": Case((), lambda _: listing.ports([ADAPTER])),
}
WITHOUT_A_CASE: Final = {
    "simulate": "it serves until it is stopped: tests/virtual/line/test_servers.py runs it",
    "try": "it needs a dump of the boot ROM: tests/engine/jobs/test_try_boot.py",
}


def test_every_command_has_a_case() -> None:
    assert set(CASES) | set(WITHOUT_A_CASE) == set(COMMANDS)
    assert not set(CASES) & set(WITHOUT_A_CASE)


@pytest.mark.usefixtures("no_port_set")
@pytest.mark.parametrize("command", CASES)
def test_a_command_prints_the_document_of_its_job(
    command: str, imgtool: Command, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_list, "list_ports", lambda: (ADAPTER,))
    monkeypatch.setattr(observations, "prove_stub", partial(observations.prove_stub, amounts=LITTLE))
    for file in FILES:
        put(file.name, file.data)
    case = CASES[command]

    run = imgtool(*command.split(), *case.words, "--json")
    result = case.job(run.out)

    assert run.out == text_of(result.document) + "\n"
    assert (run.code, run.err) == (result.code, "")


# No command says an exit code or makes a document.


class Source(NamedTuple):
    """A module of commands, read."""

    name: str
    tree: ast.Module

    @property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """All functions and methods by name."""
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    @property
    def of_engine(self) -> set[str]:
        """Names that are imported from the engine, modules of it too."""
        return {
            alias.asname or alias.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imgtool.engine")
            for alias in node.names
        }


def returned(function: ast.FunctionDef) -> Iterator[ast.expr | None]:
    """What a function returns, without those in it."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Return):
            yield node.value
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            stack += ast.iter_child_nodes(node)


def bound(name: str, within: ast.FunctionDef) -> list[ast.expr]:
    """What a name is set to in a function."""
    return [
        node.value
        for node in ast.walk(within)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]


def is_code(value: ast.expr | None, source: Source, within: ast.FunctionDef) -> bool:
    """Whether a value is the exit code of a result, what a function of the engine says, or 0."""
    match value:
        case ast.Constant(value=0) | ast.Attribute(attr="code"):
            return True
        case ast.IfExp(body=body, orelse=orelse):
            return is_code(body, source, within) and is_code(orelse, source, within)
        case ast.Name(id=name):
            values = bound(name, within)
            return bool(values) and all(is_code(each, source, within) for each in values)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name))) if (
            name in source.of_engine
        ):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in source.functions:
            inner = source.functions[name]
            return all(is_code(each, source, inner) for each in returned(inner))
    return False


def is_document(value: ast.expr, source: Source) -> bool:
    """Whether a value is the document of a result, or what a function of the engine says."""
    match value:
        case ast.Attribute(attr="document"):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in source.of_engine
    return False


def own_decisions(source: Source) -> list[str]:
    """Exit codes and documents that a module of commands makes itself, and what it makes them with."""
    found = []
    command = source.functions.get(source.name)
    if command is not None and isinstance(command.returns, ast.Name) and command.returns.id == "int":
        found += [
            f"returns {ast.unparse(value) if value else 'nothing'}"
            for value in returned(command)
            if not is_code(value, source, command)
        ]
    for function in source.functions.values():
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name in ("SystemExit", "sys.exit", "exit", "os._exit"):
                found.append(f"ends by {name}")
            if name == "typer.Exit" and not all(is_code(arg, source, function) for arg in node.args):
                found.append(f"ends by {ast.unparse(node)}")
            if name == "print_document" and not is_document(node.args[0], source):
                found.append(f"prints {ast.unparse(node.args[0])}")
    return found


def commands() -> list[Path]:
    return [path for path in sorted((CLI / "commands").rglob("*.py")) if path.name != "__init__.py"]


def test_all_commands_are_looked_at() -> None:
    assert {path.stem for path in commands()} == {name.rpartition(".")[2] for name in COMMANDS.values()}


@pytest.mark.parametrize("path", commands(), ids=lambda path: path.stem)
def test_no_command_decides_itself(path: Path) -> None:
    assert own_decisions(Source(path.stem, ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("raise typer.Exit(result.code)", []),
        ("raise typer.Exit(1)", ["ends by typer.Exit(1)"]),
        ("raise typer.Exit(0 if result.ok else 1)", ["ends by typer.Exit(0 if result.ok else 1)"]),
        ("code = 3\n    raise typer.Exit(code)", ["ends by typer.Exit(code)"]),
        ("raise typer.Exit(own())", ["ends by typer.Exit(own())"]),
        ("raise typer.Exit(told())", []),
        ("raise typer.Exit(of_many(results))", []),
        ("sys.exit(result.code)", ["ends by sys.exit"]),
        ("return 1", ["returns 1"]),
        ("return result.code", []),
        ("print_document(result.document)", []),
        ("print_document({'ok': True})", ["prints {'ok': True}"]),
        ("print_document(document('x', ok=True))", ["prints document('x', ok=True)"]),
    ],
)
def test_own_decisions_are_found(body: str, found: list[str]) -> None:
    text = (
        "from imgtool.engine.jobs.flash import of_many\n"
        f"def planted() -> int:\n    {body}\n"
        "def own():\n    return 1\n"
        "def told():\n    return result.code\n"
    )
    assert own_decisions(Source("planted", ast.parse(text))) == found


# What makes documents is the engine's.

MAKERS: Final = "imgtool.engine.documents"
TAKEN: Final = {
    "app.py": {"error_document", "text_of"},
    "show/document.py": {"Document", "text_of"},
    "show/html/page.py": {"description_fields"},  # the page shows what is in the document, field by field
}


def makers_in(text: str) -> set[str]:
    """What a module takes from the one that makes documents; its own name where it takes all."""
    taken = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == MAKERS:
            taken |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == MAKERS.rpartition(".")[0]:
            taken |= {MAKERS for alias in node.names if alias.name == MAKERS.rpartition(".")[2]}
        elif isinstance(node, ast.Import):
            taken |= {MAKERS for alias in node.names if alias.name == MAKERS}
    return taken


def test_the_command_line_makes_no_documents() -> None:
    taken = {
        path.relative_to(CLI).as_posix(): makers_in(path.read_text(encoding="utf-8"))
        for path in CLI.rglob("*.py")
    }
    assert {name: names for name, names in taken.items() if names} == TAKEN


@pytest.mark.parametrize(
    "text", [f"from {MAKERS} import document", f"import {MAKERS}", "from imgtool.engine import documents"]
)
def test_makers_of_documents_are_found(text: str) -> None:
    assert makers_in(f"def planted():\n    {text}\n")


# What is below the engine is known by its types alone.

CONTRACT: Final = "cli has no logic"
AT_RUN_TIME: Final = ("imgtool.cli.commands.board.simulate", "imgtool.cli.show.flash_map")


def exceptions() -> list[tuple[str, str]]:
    """The imports that the contract of import-linter lets pass."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["name"].startswith(CONTRACT))
    return [
        (source, target) for source, target in (line.split(" -> ") for line in contract["ignore_imports"])
    ]


def at_run_time(tree: ast.AST) -> set[str]:
    """The modules that a module imports when it runs."""
    found: set[str] = set()
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            stack += node.orelse
            continue
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        stack += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize(("source", "target"), exceptions())
def test_what_is_below_the_engine_is_there_for_types_alone(source: str, target: str) -> None:
    path = ROOT / (source.replace(".", "/") + ".py")
    taken = target in at_run_time(ast.parse(path.read_text(encoding="utf-8")))
    assert not taken or source in AT_RUN_TIME


def test_imports_at_run_time_are_found() -> None:
    text = (
        "if TYPE_CHECKING:\n    from a import b\nelse:\n    from c import d\ndef f():\n    from e import g\n"
    )
    assert at_run_time(ast.parse(text)) == {"c", "e"}
    assert len(exceptions()) > len(AT_RUN_TIME)


def test_exceptions_are_named_one_by_one() -> None:
    assert all(re.fullmatch(r"[a-z_.]+", name) for pair in exceptions() for name in pair)
