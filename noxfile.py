"""Every check of the project, each in an environment of its own: ``nox`` runs all, ``nox -s NAME`` one."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "types", "layers", "docs", "dist", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, name))


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on the installed package, as many at a time as there are processors."""
    session.install(".", *_group("test"), *_group("oracle"))
    session.run("pytest", "-n", "auto", "--dist", "worksteal", *session.posargs)


@nox.session
def long(session: nox.Session) -> None:
    """The long versions of tests: 20,000 damaged files and more, minutes."""
    session.install(".", *_group("test"), *_group("oracle"))
    session.run("pytest", "-m", "long", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Writes over lines and flashes with seeded faults, 500 for each way of working, minutes."""
    session.install(".", *_group("test"), *_group("oracle"))
    session.run("pytest", "-m", "long", "tests/operations/flashing/test_transfer.py", *session.posargs)


@nox.session
def files(session: nox.Session) -> None:
    """Files kept from each NodeMCU to each other one, on all sizes, and through 800 faults; minutes."""
    session.install(".", *_group("test"), *_group("oracle"))
    tests = ("tests/operations/files", "tests/engine/jobs/test_flash_files.py")
    others = ("tests/engine/jobs/test_files_on_board.py", "tests/formats/filesystems")
    session.run("pytest", "-n", "auto", "-m", "long", *tests, *others, *session.posargs)


@nox.session
def mutations(session: nox.Session) -> None:
    """1,000,000 mutants of fixtures and of IMGTOOL_CORPUS; a run that was stopped goes on; hours."""
    session.install(".", *_group("test"))
    session.run("python", "-m", "tests.mutations.run", *session.posargs)


@nox.session
def qemu(session: nox.Session) -> None:
    """The lx106 core against QEMU's; needs Debian's qemu-system-misc and binutils-xtensa-lx106."""
    session.install(".", *_group("test"))
    session.run("pytest", "-m", "long", "tests/oracle/test_lx106_against_qemu.py", *session.posargs)


@nox.session
def rom(session: nox.Session) -> None:
    """The chip's own boot ROM as judge of the loader and the boot; IMGTOOL_BOOT_ROM names a dump of it."""
    session.install(".", *_group("test"))
    files = sorted(map(str, Path("tests/oracle").glob("test_rom_*.py")))
    session.run("pytest", "-m", "long", "tests/oracle/test_boot_rom.py", *files, *session.posargs)


@nox.session
def firmware(session: nox.Session) -> None:
    """Real firmware as judge of boots, layouts, upgrades, files; IMGTOOL_BOOT_ROM, IMGTOOL_CORPUS."""
    session.install(".", *_group("test"))
    files = sorted(map(str, Path("tests/oracle").glob("test_firmware*.py")))
    session.run(
        *("pytest", "-n", "auto", "--dist", "worksteal", "-m", "long"),
        *(*files, "tests/oracle/test_boot_checks.py", "tests/oracle/test_loader_cases.py", *session.posargs),
    )


@nox.session
def browser(session: nox.Session) -> None:
    """The page of inspect --html in Chromium; needs Debian's chromium."""
    session.install(".", *_group("test"), *_group("oracle"))
    session.run("pytest", "-m", "long", "tests/cli/show/html/test_in_browser.py", *session.posargs)


@nox.session
def pyodide(session: nox.Session) -> None:
    """The engine in Pyodide against CPython; needs Node.js, and fetches Pyodide from npm."""
    session.install(".", "pip", *_group("test"))
    session.run("pytest", "-m", "long", "tests/engine/test_pyodide.py", *session.posargs)


@nox.session
def clients(session: nox.Session) -> None:
    """Old and new esptool, and esptool-js, on the virtual chip; fetches them from PyPI and npm."""
    session.install(".", *_group("test"))
    session.run("pytest", "-m", "long", "tests/oracle/test_clients.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy --strict over package, tests and scripts; tests/typing/api.py is the public API."""
    session.install(".", *_group("types"))
    session.run("mypy")


@nox.session
def layers(session: nox.Session) -> None:
    """Imports go one way."""
    session.install(".", *_group("layers"))
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, with warnings as errors."""
    session.install(".", *_group("docs"))
    session.run("sphinx-build", "-q", "-W", "-n", "-b", "html", "docs", "docs/_build/html")


@nox.session
def dist(session: nox.Session) -> None:
    """Build wheel and sdist, and run the tool from the wheel alone."""
    session.install(*_group("dist"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--no-isolation", silent=True)
    (wheel,) = Path("dist").glob("*.whl")
    session.run("python", "-m", "pip", "install", "--quiet", "--force-reinstall", str(wheel))
    session.run("imgtool", "--version")
    # By the stub file, which the wheel has to hold; -P for the wheel's package and not this folder's.
    session.run("python", "-P", "-c", "from imgtool import *")
    # Reads the style sheet, a data file of the package.
    session.run("imgtool", "inspect", str(wheel), "--html", "-", silent=True, success_codes=[3])


@nox.session
def fixtures(session: nox.Session) -> None:
    """Make the fixtures anew and compare them with their recorded digests."""
    session.run("python", "fixtures/make.py", "--check")


@nox.session
def stub(session: nox.Session) -> None:
    """Build the flasher stub; ``-- --check`` compares it with the packaged one.  Needs gcc-xtensa-lx106."""
    session.run("python", "fixtures/stub_build.py", *session.posargs)


@nox.session
def stub_tests(session: nox.Session) -> None:
    """How much of the stub its tests run, and its parts under QEMU; needs qemu-system-misc, too."""
    session.install(".", *_group("test"), *_group("oracle"))
    session.run("pytest", "-m", "long", "tests/stub", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The figures of docs/performance.md: imgtool and esptool side by side, in one run."""
    session.install(".", *_group("oracle"))
    session.run("python", "docs/benchmark.py", *session.posargs)


@nox.session
def bench_crc(session: nox.Session) -> None:
    """The figures of docs/performance.md for CRCs: imgtool and crcmod, in C and in Python."""
    session.install(".")
    session.run("python", "docs/benchmark_crc.py", *session.posargs)


@nox.session
def bench_explain(session: nox.Session) -> None:
    """The figures of docs/performance.md for boot logs; another tree may be named, to compare with."""
    session.install(".")
    session.run("python", "docs/benchmark_explain.py", *session.posargs)


@nox.session
def bench_virtual(session: nox.Session) -> None:
    """The figures of docs/performance.md on the virtual chip: its core, and esptool's writes to it."""
    session.install(".", *_group("oracle"))
    session.run("python", "docs/benchmark_virtual.py", *session.posargs)


@nox.session
def bench_firmware(session: nox.Session) -> None:
    """The figures of docs/performance.md on real firmware; needs a dump of the boot ROM and real images."""
    session.install(".")
    session.run("python", "docs/benchmark_firmware.py", *session.posargs)


@nox.session
def bench_flash(session: nox.Session) -> None:
    """The figures of docs/performance.md for flash: imgtool and esptool on the virtual chip; resumable."""
    session.install(".", *_group("oracle"))
    session.run("python", "docs/benchmark_flash.py", *session.posargs)
