"""Back a board up: all of its flash, into a file that is named by the chip's MAC and the moment.

Run: python back_up.py /dev/ttyUSB0 backups
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

from imgtool import Event, ImgtoolError, ReadRequest, open_wire, read


def show(event: Event) -> None:
    """Print how far it is."""
    if event.stage == "read" and event.total:
        print(f"\r{100 * event.done // event.total:3} %", end="" if event.done < event.total else "\n")


def main(port: str, folder: str) -> int:
    """Read the flash, and write it once all of it is there and verified."""
    request = ReadRequest(output=folder, backup=datetime.now().astimezone())
    try:
        with closing(open_wire(port)) as wire:
            result = read(wire, request, show)
    except ImgtoolError as error:
        print(error)
        return 1
    Path(folder).mkdir(parents=True, exist_ok=True)
    for output in result.outputs:
        Path(output.name).write_bytes(output.data)
        print(f"{output.name}: {len(output.data):,} bytes, sha256 {result.document['results'][0]['sha256']}")
    return result.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
