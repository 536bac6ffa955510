"""Measure what docs/performance.md states: whole processes, imgtool and esptool in turn, medians of pairs.

Run by ``nox -s bench``.  Every run's exit code and output are checked, so that a failing command is never
fast. Not a test: a figure here depends on the machine, a ratio of pairs much less.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

BIN = Path(sysconfig.get_path("scripts"))
ROUNDS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdecimal() else 15


class Run(NamedTuple):
    """One finished process: wall and processor seconds, peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


class Command(NamedTuple):
    """A command line and what must be in its output."""

    words: tuple[str, ...]
    expected: str
    code: int = 0


def run(command: Command) -> Run:
    """Run a command once and check what it did."""
    with tempfile.TemporaryFile() as output:  # a pipe could fill up and stop the process
        begin = time.perf_counter()
        process = subprocess.Popen([BIN / command.words[0], *command.words[1:]], stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if process.returncode != command.code or command.expected not in said:
        sys.exit(f"{' '.join(command.words)} ended with {process.returncode} and said:\n{said}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(title: str, ours: Command, theirs: Command) -> None:
    """Run two commands in turn and print a row of medians, and the median of the ratios of pairs."""
    pairs = [(run(ours), run(theirs)) for _ in range(ROUNDS + 1)][1:]  # the first pair fills the caches
    middle = [
        statistics.median(values)
        for values in (
            [a.wall * 1000 for a, _ in pairs],
            [b.wall * 1000 for _, b in pairs],
            [a.wall / b.wall for a, b in pairs],
            [a.cpu / b.cpu for a, b in pairs],
            [a.peak for a, _ in pairs],
            [b.peak for _, b in pairs],
        )
    ]
    print(
        "| {} | {:.0f} ms | {:.0f} ms | **{:.2f}** | {:.2f} | {:.0f} MiB | {:.0f} MiB |".format(
            title, *middle
        )
    )


def alone(title: str, command: Command, floor: Run) -> None:
    """Run one command and print its medians, memory beyond the bare interpreter's."""
    runs = [run(command) for _ in range(ROUNDS + 1)][1:]
    wall, peak = (
        statistics.median(values) for values in ([r.wall * 1000 for r in runs], [r.peak for r in runs])
    )
    print(f"| {title} | {wall:.0f} ms | {peak - floor.peak:.0f} MiB |")


LARGE = {
    "with a SPIFFS of 15 MB, 680 files": "large-files.bin",
    "every second sector noise": "large-parts.bin",
}


def make_large_dumps(folder: Path) -> None:
    """Dumps of 16 MB that ask the most: a file system full of files, and as many parts as there can be."""
    # The folder is no package: run as a script, its parent has to be named.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from fixtures import filesystems  # noqa: PLC0415 - found only now

    image = (folder / "dumps" / "nodemcu-2.2-4m.bin").read_bytes()[:0x30000]
    head = image[:3] + b"\x90" + image[4:]  # 16 MB, 40 MHz
    stream = hashlib.shake_128(b"files").digest(20_000)
    files = {f"{number}.bin".encode(): stream for number in range(680)}
    system = filesystems.spiffs(files, filesystems.Variant(0x2000, 1856))
    noise = [hashlib.shake_128(block.to_bytes(2, "little")).digest(0x1000) for block in range(2024)]
    made = (
        head.ljust(0x100000, b"\xff") + system,
        head + b"".join(each.ljust(0x2000, b"\xff") for each in noise),
    )
    for name, data in zip(LARGE.values(), made, strict=True):
        (folder / name).write_bytes(data.ljust(16 << 20, b"\xff"))


def large_dumps(folder: Path, floor: Run) -> None:
    """Print the rows of the large dumps."""
    for words, name in LARGE.items():
        dump, page = str(folder / name), str(folder / "page.html")
        alone(f"inspect, 16 MB {words}", Command(("imgtool", "inspect", dump), "sha256"), floor)
        with_page = Command(("imgtool", "inspect", dump, "--html", page), "The page is in")
        alone("the same, with a page", with_page, floor)


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: what this one has used would count as every child's peak.
        for words in (["fixtures/make.py", name], [__file__, "make", name]):
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        pair = [str(folder / "sample" / part) for part in ("0x00000.bin", "0x10000.bin")]
        image, full, merged = (str(folder / word) for word in ("nodemcu.bin", "full.bin", "merged.bin"))
        run(Command(("imgtool", "merge", *pair, "-o", image), "nodemcu.bin"))
        run(Command(("imgtool", "fullimage", "--size", "16MB", image, "-o", full), "16MB"))
        print(f"Medians of {ROUNDS} pairs, Python {sys.version.split()[0]}, {os.cpu_count()} processors.\n")
        print("| | imgtool | esptool 5.6.0 | ratio | ratio of processor time | memory | esptool's |")
        print("|---|---|---|---|---|---|---|")
        esptool = ("esptool", "--chip", "esp8266")
        compare(
            "version", Command(("imgtool", "--version"), "imgtool "), Command(("esptool", "version"), "5.6.0")
        )
        compare(
            "inspect, 186 KB image",
            Command(("imgtool", "inspect", image), "all checks hold"),
            Command((*esptool, "image-info", image), "(valid)"),
        )
        compare(
            "inspect --json, 186 KB image",
            Command(("imgtool", "inspect", "--json", image), '"ok": true'),
            Command((*esptool, "image-info", image), "(valid)"),
        )
        compare(
            "merge of two parts",
            Command(("imgtool", "merge", *pair, "-o", merged), "merged.bin"),
            Command((*esptool, "merge-bin", "-o", merged, "0x0", pair[0], "0x10000", pair[1]), "Wrote"),
        )
        elf = str(folder / "elf" / "app.elf")
        corpus = os.environ.get("IMGTOOL_CORPUS")
        if corpus:
            elf = str(Path(corpus) / "elf" / "esp8266-nonosssdk20-iotdemo.elf")
        compare(
            f"build of a {Path(elf).stat().st_size // 1024} KB ELF file",
            Command(("imgtool", "build", elf, "-o", str(folder / "ours-")), "ours-0x10000.bin"),
            Command((*esptool, "elf2image", "-o", str(folder / "theirs-"), elf), "Successfully created"),
        )
        floor = run(Command((Path(sys.executable).name, "-c", "print('floor')"), "floor"))
        print("\n| | wall | memory beyond the interpreter |")
        print("|---|---|---|")
        alone(
            "inspect, 16 MB image of a flash", Command(("imgtool", "inspect", full), "all checks hold"), floor
        )
        if corpus:
            real = Command(("imgtool", "inspect", "-r", corpus), "files: ", 3)  # some are no ESP8266 files
            alone("inspect -r, 42 real files of 11 MB, one process", real, floor)
        noise = folder / "noise.bin"
        with noise.open("wb") as file:
            file.write(Path(image).read_bytes().ljust(1 << 20, b"\xff"))
            for block in range(15 * 16):
                file.write(hashlib.shake_128(bytes([block])).digest(1 << 16))
        alone(
            "inspect, 16 MB of which 15 are noise",
            Command(("imgtool", "inspect", str(noise)), "sha256"),
            floor,
        )
        large_dumps(folder, floor)
        dump, other = (str(folder / "dumps" / f"nodemcu-{n}-4m.bin") for n in ("2.2", "3-used"))
        patched = str(folder / "patched.bin")
        alone("compare of two 4 MB dumps", Command(("imgtool", "compare", dump, other), "irom", 1), floor)
        alone(
            "patch of a 4 MB dump",
            Command(("imgtool", "patch", dump, "--set", "vdd33_const=33", "-o", patched), "changed"),
            floor,
        )
        alone(
            "extract of a 4 MB dump",
            Command(("imgtool", "extract", dump, "-o", str(folder / "parts")), "imgtool-manifest.json"),
            floor,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make_large_dumps(Path(sys.argv[2]))
    else:
        main()
