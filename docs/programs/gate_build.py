"""A gate of a build: the files must be whole, and one of them must be NodeMCU.

Run: python gate_build.py bin/0x00000.bin bin/0x10000.bin
"""

from __future__ import annotations

import sys
from pathlib import Path

from imgtool import InputFile, InspectRequest, inspect


def main(names: list[str]) -> int:
    """Print what is to be said of the files; the exit code is 0 if they may be shipped, else 1."""
    files = tuple(InputFile(name, Path(name).read_bytes()) for name in names)
    result = inspect(InspectRequest(files))
    for file in result.files:
        for finding in file.description.findings:
            print(f"{file.name}: {finding.severity}: {finding.message} [{finding.code}]")
    if not result.ok:
        print("refused: not all checks hold")
        return 1
    firmwares = [each.firmware for each in result.descriptions if each.firmware is not None]
    for firmware in firmwares:
        if firmware.name == "NodeMCU":
            print(f"good: NodeMCU {firmware.version}, SDK {firmware.sdk}")
            return 0
    print(f"refused: {', '.join(each.name for each in firmwares) or 'nothing'} is no NodeMCU")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
