from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

import imgtool
from imgtool.chip import FLASH_FREQUENCIES, FLASH_MODES, FLASH_SIZES
from imgtool.engine import choices, placing
from imgtool.engine.jobs import flash, merge, patch

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
DESCRIBED: Final = re.findall(
    r"^\.\. (?:auto|py:)(?:function|class|exception|data):: (\S+)$", PAGE, re.MULTILINE
)

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


def test_each_public_name_stands_once() -> None:
    stub = (ROOT / "imgtool" / "__init__.pyi").read_text(encoding="utf-8")
    source = (ROOT / "imgtool" / "__init__.py").read_text(encoding="utf-8")
    names = re.findall(r"^from \S+ import (\w+) as \1$", stub, re.MULTILINE)

    assert sorted([*names, "__version__"]) == imgtool.__all__
    assert [name for name in names if re.search(rf"\b{name}\b", source.split('"""')[2])] == []


def test_all_names_at_once() -> None:
    names: dict[str, object] = {}
    exec("from imgtool import *", names)  # noqa: S102 - only a module may have that statement

    assert sorted(names.keys() - {"__builtins__"}) == imgtool.__all__


@pytest.mark.parametrize("name", sorted({*imgtool.__all__} - {"__version__"}))
def test_public_name_is_described(name: str) -> None:
    assert DESCRIBED.count(name) == 1


def test_what_is_described_is_public() -> None:
    assert sorted({*DESCRIBED} - {*imgtool.__all__}) == []


@pytest.mark.parametrize(
    ("request_type", "words"),
    [
        (imgtool.MergeRequest, merge.FORMATS),
        (imgtool.FullImageRequest, placing.INIT_DATA_CHOICES),
        (imgtool.BuildRequest, placing.INIT_DATA_CHOICES),
        (imgtool.PatchRequest, patch.INIT_DATA_SOURCES),
        (imgtool.FlashRequest, (*placing.INIT_DATA_CHOICES, *flash.VERIFY, *flash.CHECKS)),
        (imgtool.EraseRequest, (choices.ERASE_ALL, *choices.ERASE_REGIONS)),
    ],
)
def test_a_request_says_which_words_it_takes(request_type: type, words: tuple[str, ...]) -> None:
    assert [word for word in words if f"``{word}``" not in (request_type.__doc__ or "")] == []


def test_the_page_says_what_sizes_modes_and_frequencies_there_are() -> None:
    names = [*(size.name for size in FLASH_SIZES), *FLASH_MODES, *FLASH_FREQUENCIES]

    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_names_are_found_in_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "imgtool.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in (ROOT / "imgtool").rglob("*.py*"):
            if path.suffix in (".py", ".pyi"):
                packed.write(path, path.relative_to(ROOT))
    program = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "import imgtool\n"
        "print(imgtool.__file__, imgtool.InputFile.__name__, len(imgtool.__all__))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    assert done.stdout.split() == [
        str(archive / "imgtool" / "__init__.py"),
        "InputFile",
        str(len(imgtool.__all__)),
    ]


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match=r"module 'imgtool' has no attribute 'nonsense'"):
        getattr(imgtool, "nonsense")  # noqa: B009 - a type checker would refuse the plain spelling


def test_version_is_the_installed_one() -> None:
    assert imgtool.__version__ == metadata.version("esp8266-imgtool")


def test_both_scripts_are_installed() -> None:
    scripts = metadata.distribution("esp8266-imgtool").entry_points.select(group="console_scripts")

    assert {script.name: script.value for script in scripts} == {
        "imgtool": "imgtool.__main__:main",
        "esp8266-imgtool": "imgtool.__main__:main",
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


def test_importing_the_package_reads_no_list_of_names() -> None:
    program = "import imgtool; print(imgtool._homes.cache_info().currsize)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "0\n"


@pytest.mark.parametrize("name", ["py.typed", "__init__.pyi"])
def test_what_type_checkers_read_is_installed(name: str) -> None:
    files = importlib.resources.files("imgtool")

    assert files.joinpath(name).is_file()
