"""Which applications the boot loader of the RTOS SDK 3 tries, in which order.

By the partition table and otadata alone.  Not whether an image is there that it takes (flash_slots.py), and
not whether that one runs (layout/rtos_slots.py).

Source: bootloader_utility.c and bootloader_start.c in https://github.com/espressif/ESP8266_RTOS_SDK, and runs
of real loaders; see docs/formats/flash-dump.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from imgtool.chip import FLASH_SIZES, flash_size_of_code
from imgtool.formats.images.rtos_bootloader import loader_of
from imgtool.formats.regions.rtos_otadata import SIZE, OtaData
from imgtool.formats.regions.rtos_partitions import APP, DATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.formats.regions.rtos_partitions import Partition, RtosPartitionTable

__all__ = ["RtosChoice", "rtos_choice"]

_SIZES: Final = frozenset(size.bytes for size in FLASH_SIZES)
_FACTORY: Final = -1  # before the first slot for updates, as the boot loader counts
_FACTORY_TYPE, _TEST_TYPE = 0x00, 0x20


class RtosChoice(NamedTuple):
    """What the boot loader tries.

    Attributes:
        order: The applications, first the one that is in force; none where nothing starts.
        reason: Why, for people.
        certainty: ``known``, ``likely`` or ``not known``.
    """

    order: tuple[Partition, ...]
    reason: str
    certainty: Literal["known", "likely", "not known"] = "known"


def rtos_choice(data: bytes, table: RtosPartitionTable) -> RtosChoice:
    """What the boot loader at the start of a flash tries by the table in it."""
    refused = _refused(data, table)
    if refused:
        return RtosChoice((), refused, "likely")
    apps = [row for row in table.partitions if row.type == APP]
    by_number = {
        _FACTORY if row.slot is None else row.slot: row
        for row in apps
        if row.slot is not None or row.subtype == _FACTORY_TYPE
    }
    count = sum(row.is_ota for row in apps)
    test = tuple(row for row in apps if row.subtype == _TEST_TYPE)[-1:]
    if not by_number and not test:
        return RtosChoice((), "the partition table has no application")
    chooser = next((row for row in table.partitions if (row.type, row.subtype) == (DATA, 0)), None)
    if chooser is None:
        why = "the table has no partition that would choose"
        return RtosChoice((*_from(_FACTORY, by_number, count), *test), why)
    if chooser.offset + SIZE > len(data):
        return RtosChoice((), f"{chooser.label}, which chooses, lies behind the end of the file", "not known")
    if chooser.size < SIZE:
        reason = f"{chooser.label} is smaller than two sectors, and the boot loader stops on that"
        return RtosChoice((), reason)
    start, why = _start(data, chooser, count)
    return RtosChoice((*_from(start, by_number, count), *test), why)


def _refused(data: bytes, table: RtosPartitionTable) -> str:
    """Why the boot loader takes no such table, in words; empty where it does."""
    size = flash_size_of_code(data[3] >> 4)
    if size is None or len(data) not in _SIZES:
        return ""
    behind = next((row for row in table.partitions if row.end > size.bytes), None)
    if behind is None:
        return ""
    return f"the partition table is for more flash than the {size.name} in the boot loader's header"


def _start(data: bytes, chooser: Partition, count: int) -> tuple[int, str]:
    """The number that otadata has in force, and why."""
    chosen = OtaData.parse(data, chooser.offset)
    number = chosen.slot(count)
    if number is None:
        why = "is empty: never updated" if chosen.empty else "has no valid entry"
        return _FACTORY, f"{chooser.label} {why}"
    why = f"{chooser.label} has update {chosen.newest} in force"
    if number == 1 and loader_of(data).copies:
        why += ", which the boot loader copies to ota_0 and starts there"
    return number, why


def _from(start: int, by_number: Mapping[int, Partition], count: int) -> tuple[Partition, ...]:
    """From a number down to the factory's, and then from the number up."""
    order = (*range(start, _FACTORY - 1, -1), *range(start + 1, count))
    return tuple(by_number[number] for number in order if number in by_number)
