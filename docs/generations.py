"""The table of generations in docs/flash-layouts.md, made from the rows of imgtool/layout/generations.py.

Not a description of its own: to change the table, change the row.  ``python docs/generations.py`` writes it,
``--check`` says whether it is as it should be.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the rows of this checkout, also where another imgtool is installed

from made_part import run

from imgtool.chip import FLASH_SIZES
from imgtool.layout.generations import GENERATIONS
from imgtool.layout.traits import Family, FilePlace, InitDataRepair, LfsPlace, Magics, Numbering

if TYPE_CHECKING:
    from imgtool.layout.traits import Generation

PAGE: Final = ROOT / "docs" / "flash-layouts.md"

_REPAIR: Final = {
    InitDataRepair.IF_ERASED: "writes it where erased",
    InitDataRepair.IF_CARRIED: "the later releases write it where erased",
    InitDataRepair.UNLESS_RECORDED: "writes it once",
    InitDataRepair.SDK_DEFAULT: "the SDK has a default",
    InitDataRepair.COMPILED_IN: "compiled in",
    InitDataRepair.NEVER: "does not start",
    InitDataRepair.UNKNOWN: "not known",
}
_MAGICS: Final = {
    Magics.NONE: "no magics",
    Magics.LINEAR: "linear magics",
    Magics.OLD: "old magics",
    Magics.AS_INIT_DATA: "old magics in the later releases, else linear",
    Magics.BY_BUILD: "old magics in the first release, else linear",
    Magics.CONSTANT: "one magic in all blocks",
}


def releases(row: Generation) -> str:
    """The releases that a row covers."""
    if not row.release_known:
        return "not known"
    if row.numbering is Numbering.NONE:
        return "all"
    first, before = (".".join(map(str, each)) for each in (row.first, row.before or ()))
    words = f"{first} and later" if first and not before else f"before {before}"
    words = f"{first} to before {before}" if first and before else words
    if row.builds is not None:
        words += f", built {_day(row.builds.first)} to " if row.builds.first else ", built "
        words += f"before {_day(row.builds.before)}"
    return words if row.numbering is Numbering.OWN else f"SDK {words}"


def _day(built: str) -> str:
    return f"{built[:4]}-{built[4:6]}-{built[6:]}"


def kept(row: Generation) -> str:
    """What a row keeps at the end of the flash."""
    if row.has_partition_table or row.family is Family.RTOS_3:
        return "by its partition table"
    return ", ".join(
        f"{each.name} {each.from_end}" if each.sectors == 1 else f"{each.name} {each.from_end} to 1"
        for each in row.kept
        if row.keeps_rf_cal or each.name != "rf-cal"
    )


def sizes(row: Generation) -> str:
    """Which flash sizes a firmware can be told, and which ``detect`` tells it."""
    words = _range(row, row.sizes.codes)
    if row.sizes.corrects:
        words += "; corrects it"
    if row.sizes.built is not None:
        return f"{words}; `detect` keeps that of the build"
    if row.sizes.sure != row.sizes.codes:
        words += f"; `detect`: {_range(row, row.sizes.sure)}"
    if row.sizes.beyond is not None:
        largest = next(each.name for each in FLASH_SIZES if each.bytes == row.sizes.largest)
        beyond = next(each.name for each in FLASH_SIZES if each.code == row.sizes.beyond)
        words += f"; `detect` above {largest}: {beyond}"
    return words


def _range(row: Generation, codes: frozenset[int]) -> str:
    known = [size for size in FLASH_SIZES if size.code in codes and size.name != "256KB"]
    least = max(row.sizes.least, min(size.bytes for size in known))
    names = [size.name for size in known if size.bytes >= least and not size.name.endswith("-c1")]
    words = f"{names[0]} to {names[-1]}"
    return f"{words}, -c1" if any(size.name.endswith("-c1") for size in known) else words


def files(row: Generation) -> str:
    """Where a firmware looks for its files, and how they are stored."""
    rule = row.files
    if rule is None:
        return "FAT or LittleFS" if row.files_in_fat else "not known"
    where = str(rule.place)
    if rule.place is FilePlace.BEHIND:
        where += f", steps of {rule.step // 1024} KB"
        where += f" and {rule.near_step // 1024} KB, {rule.tries} each" if rule.tries else ", the first place"
    blocks = " or ".join(f"{block // 1024} KB" for block in rule.blocks)
    return f"SPIFFS {where}; blocks of {blocks}, {_MAGICS[rule.magics]}"


def lfs(row: Generation) -> str:
    """Where its LFS is."""
    return "" if row.lfs is LfsPlace.NONE else "; ".join((str(row.lfs), *row.lfs_formats))


def sources(row: Generation) -> str:
    """Links to the sources of a row, after their standing."""
    return ", ".join(f"[{each.standing}]({each.url})" for each in row.sources)


def table() -> str:
    """A row of the table for each row of the generations."""
    head = (
        "Firmware",
        "Releases",
        "Sectors from the end",
        "Without init data",
        "Flash sizes",
        "Files",
        "LFS",
        "irom",
        "Console",
        "Known from",
    )
    lines = [head, ("---",) * len(head)]
    lines += [
        (
            row.name,
            releases(row),
            kept(row),
            _REPAIR[row.missing_init_data],
            sizes(row),
            files(row),
            lfs(row),
            ", ".join(f"0x{place:x}" for place in row.irom),
            str(row.baud or ""),
            sources(row),
        )
        for row in GENERATIONS
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(run(PAGE, "generations.py", table()))
