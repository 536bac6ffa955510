"""The image of a whole flash of 4 MB, made in memory from the two files of a build, then written.

Run: python full_image.py bin flash.bin
"""

from __future__ import annotations

import sys
from pathlib import Path

from imgtool import FullImageRequest, ImgtoolError, InputFile, fullimage


def main(folder: str, target: str) -> int:
    """Make the image; the exit code is 0 if all of its checks hold."""
    names = ("0x00000.bin", "0x10000.bin")  # names that end in an address say where they go
    files = tuple(InputFile(name, (Path(folder) / name).read_bytes()) for name in names)
    try:
        result = fullimage(FullImageRequest(files=files, size="4MB", output=target, mode="dio"))
    except (
        ImgtoolError
    ) as error:  # the files overlap, are damaged, do not fit: the error says which and where
        print(error)
        return 1
    for piece in result.image.pieces:
        print(f"0x{piece.address:06x} {len(piece.data):9,} {piece.name}")
    for output in result.outputs:
        Path(output.name).write_bytes(output.data)
    print(f"{result.words.verdict}, layout of {result.image.rule}")
    return result.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
