from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from importlib import metadata

import pytest

import imgtool

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(imgtool.__path__, "imgtool.") if "._" not in module.name
)
# What a start may not pay for, contract section 2.
HEAVY = ["bincopy", "construct", "crcmod", "elftools", "littlefs", "pydantic", "rich", "serial"]


def _imported_by(statement: str) -> list[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    return sorted(loaded & set(HEAVY))


def test_public_names_are_sorted() -> None:
    assert imgtool.__all__ == sorted(imgtool.__all__)


def test_dir_lists_the_public_names() -> None:
    assert dir(imgtool) == imgtool.__all__


@pytest.mark.parametrize("name", imgtool.__all__)
def test_public_name_is_there(name: str) -> None:
    assert getattr(imgtool, name) is not None


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match=r"module 'imgtool' has no attribute 'nonsense'"):
        getattr(imgtool, "nonsense")  # noqa: B009 - a type checker would refuse the plain spelling


def test_version_is_the_installed_one() -> None:
    assert imgtool.__version__ == metadata.version("esp8266-imgtool")


def test_both_scripts_are_installed() -> None:
    scripts = metadata.distribution("esp8266-imgtool").entry_points.select(group="console_scripts")

    assert {script.name: script.value for script in scripts} == {
        "imgtool": "imgtool.cli.app:main",
        "esp8266-imgtool": "imgtool.cli.app:main",
    }


@pytest.mark.parametrize("name", MODULES)
def test_module_says_what_it_is_for_and_has_what_it_exports(name: str) -> None:
    module = importlib.import_module(name)

    assert module.__doc__
    assert [export for export in getattr(module, "__all__", []) if not hasattr(module, export)] == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert _imported_by("import imgtool") == []


def test_starting_the_command_line_imports_nothing_heavy() -> None:
    run = "import imgtool.cli.app, contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):"
    run += "\n try: imgtool.cli.app.main(['--version'])\n except SystemExit: pass"

    assert _imported_by(run) == []


def test_typed_marker_is_installed() -> None:
    files = importlib.resources.files("imgtool")

    assert files.joinpath("py.typed").is_file()
