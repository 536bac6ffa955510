"""The generations of firmware: one row a range of releases, with what imgtool goes by, and its sources.

A new generation is a row here; what it is described by is in traits.py.  No other module compares versions or
names of firmware, but for imgtool/formats/firmware.py, which reads them, and imgtool/virtual, which tells the
same a second time, so that the two can be held against each other.  docs/flash-layouts.md has the rows as a
table.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_PLACE
from imgtool.formats.firmware import ARDUINO_NAMES
from imgtool.formats.kinds import Starter
from imgtool.formats.reading import PartKind
from imgtool.layout.traits import (
    ALL_CODES,
    BuildDates,
    BuiltSize,
    Family,
    FilePlace,
    Generation,
    InitDataRepair,
    KeptSectors,
    LfsPlace,
    Magics,
    Numbering,
    OwnInitData,
    SizeReading,
    Source,
    SpiffsRule,
    Standing,
    Uncertainty,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imgtool.formats.reading import Firmware
    from imgtool.layout.traits import Release

__all__ = [
    "ARDUINO",
    "BUILT_SIZES",
    "FILES_OF_FIRST_TABLES",
    "GENERATIONS",
    "generation",
    "generation_of",
]

_NODEMCU: Final = "https://github.com/nodemcu/nodemcu-firmware/blob"
_BUILDS: Final = f"{_NODEMCU}/0.9.5_20150318/pre_build"
_GUIDE: Final = Source(Standing.DOCUMENTED, f"{_NODEMCU}/release/docs/flash.md")
_SDK: Final = "https://github.com/espressif/ESP8266_NONOS_SDK"
_SDK_SIZES: Final = Source(Standing.READ, f"{_SDK}/blob/v2.2.1/include/user_interface.h")
_SDK_EXAMPLES: Final = Source(Standing.READ, f"{_SDK}/tree/v2.2.1/examples")
_SDK_GUIDE: Final = Source(Standing.DOCUMENTED, f"{_SDK}/blob/v2.2.1/bin/at/README.md")
_HALTS: Final = Source(Standing.DOCUMENTED, "https://github.com/nodemcu/nodemcu-firmware/pull/1500")
# Espressif's repository begins with 2.0.0; the core has the libraries of the SDK before.
_OLD_LIBRARIES: Final = Source(Standing.READ, "https://github.com/esp8266/Arduino/tree/2.3.0/tools/sdk/lib")
_ARDUINO_CORE: Final = Source(Standing.READ, "https://github.com/esp8266/Arduino/tree/master/tools/sdk/ld")


def _tag(tag: str, path: str = "app/user/user_main.c", standing: Standing = Standing.READ) -> Source:
    """A file of NodeMCU at a tag."""
    return Source(standing, f"{_NODEMCU}/{tag}/{path}")


_UP_TO_4MB: Final = frozenset(range(7))  # 512KB, 256KB, 1MB, 2MB, 4MB, 2MB-c1, 4MB-c1
_WITHOUT_C1: Final = frozenset(range(5))
_TWO_SLOTS: Final = _UP_TO_4MB - _WITHOUT_C1
_OLD_CODES: Final = {5: 0x80_0000, 6: 0x100_0000}  # NodeMCU's own 8 MB and 16 MB
_UNKNOWN_CODES: Final = {8: 0x8_0000, 9: 0x8_0000}  # what it has no name for, it takes for 512 KB
_ALL_OLD_CODES: Final = {**_OLD_CODES, **_UNKNOWN_CODES}
_NO_CODES: Final = dict.fromkeys(_ALL_OLD_CODES, 0x8_0000)
_OLD_FILES: Final = SpiffsRule(
    magics=Magics.NONE,
    place=FilePlace.BEHIND,
    pages="0.9.5",
    blocks=(0x1000,),
    least_blocks=3,  # two are kept free, with three it keeps 8 files (its sources, run on a PC)
    kept_sectors=4,
    step=0x4000,
    near_step=0x4000,
    tries=0,
    gap=None,
)
_FILES_IN_PARTITION: Final = SpiffsRule(
    magics=Magics.LINEAR, place=FilePlace.PARTITION, kept_sectors=3, tries=0, gap=None
)
_FIRST_FILES: Final = replace(_OLD_FILES, step=0x1000, near_step=0x1000)
_MISSES_INIT_DATA: Final = Uncertainty(
    "old-nodemcu-size",
    "{name} looks for its init data in the wrong place on {size}; 2.1.0 is the first that does not. "
    "Take {largest}",
)
_TAKES_FOR_512KB: Final = Uncertainty(
    "old-sdk-size",
    "{name} takes {size} for 512KB, and keeps its sectors in front of 0x80000: its SDK is older than 2.1. "
    "It writes into its own code there, or finds no init data and starts again and again. Take {largest}",
)
_TAKEN_BY_OLD: Final = Uncertainty(
    "sdk-size-unknown",
    "which SDK {name} has is not known, and one before 2.1 takes {size} for 512KB: it may write into its own "
    "code, or start again and again. {largest} works with each",
)
_PYTHON_MISSES: Final = Uncertainty(
    "micropython-size",
    "{name} and its SDK may look for init data at two places on {size}: then it starts again and again. "
    "{largest} works",
)
_SKETCH_UNKNOWN_MAP: Final = Uncertainty(
    "arduino-size",
    "the Arduino core in {name} does not know the size {size}, and refuses updates over the air with it. "
    "Take one up to {largest} without -c1",
)
_OF_SKETCH: Final = BuiltSize(
    "where a sketch has its settings and files was decided for it when it was built",
    "its SDK may write its parameters into the sketch or its files",
    larger=False,
)
_SKETCH_STOPS: Final = BuiltSize(
    "a sketch on an SDK 3 starts with no other", "it stops with 'Flash size mismatch'"
)
_OF_TABLE: Final = BuiltSize(
    "the partition table beside it is made for it",
    "its boot loader refuses a table that reaches beyond it",
    larger=False,
)
_OF_SYSPARAM: Final = BuiltSize(
    "where esp-open-rtos has its settings follows from it", "it looks for its settings elsewhere"
)
_OF_SMING: Final = BuiltSize(
    "where Sming has its partitions was decided for it when it was built", "it may start again and again"
)
_OF_AT: Final = BuiltSize(
    "where AT firmware has its second slot and its settings follows from it",
    "it may look for its settings and its second slot elsewhere",
)
_SIZE_COMPILED_IN: Final = Uncertainty(
    "size-compiled-in",
    "the flash size that {name} works with is compiled in, and no file shows it: one built for more than "
    "{size} says ERROR in flash_read for minutes at each start, one built for less uses only that much; take "
    "the size that its build is named after",
)
_TAKEN_FOR_16MB: Final = Uncertainty(
    "size-taken-for-16mb",
    "builds of {name} of 12 to 14 February 2015 take {size} for 16MB, and say ERROR in flash_read for "
    "minutes at each start (one that was mended on the 15th has the same date); with 2MB they all work",
)
_OWN_PLACES: Final = Uncertainty(
    "sdk-3-layout",
    "an SDK 3 firmware sets the places of its sectors in its own code; "
    "these are the ones of Espressif's examples",
)
_DAY: Final = len("20150213")
_PLAIN_LFS: Final = "Lua 5.1, not compressed (2.2.1 of 2018-09-15)"
_GZIP_LFS: Final = "Lua 5.1, gzip (from 2.2.1 of 2018-12-07 on)"

_NODEMCU_0_9: Final = Generation(
    name="NodeMCU 0.9.5",
    family=Family.NODEMCU,
    names=("NodeMCU",),
    numbering=Numbering.OWN,
    first=(0, 9, 5),
    before=(0, 9, 6),
    needs_init_data=False,
    missing_init_data=InitDataRepair.IF_ERASED,
    own_init_data=OwnInitData("SDK 0.9"),
    keeps_rf_cal=False,
    sizes=SizeReading(codes=_WITHOUT_C1, own=_ALL_OLD_CODES, corrects=True),
    files=_OLD_FILES,
    baud=9600,
    names_sdk=False,
    sources=(
        _tag("0.9.5_20150318"),
        _tag("0.9.5_20150318", "app/platform/flash_api.c"),
        _tag("0.9.5_20150318", "app/spiffs/spiffs.c"),
        Source(Standing.RUN, f"{_BUILDS}/latest/nodemcu_latest.bin"),
        _GUIDE,
    ),
)

_BEFORE_0_9_5: Final = replace(
    _NODEMCU_0_9,
    name="NodeMCU before 0.9.5",
    first=(),
    before=(0, 9, 5),
    missing_init_data=InitDataRepair.SDK_DEFAULT,
    own_init_data=None,
    sizes=SizeReading(codes=_WITHOUT_C1, own=_NO_CODES),
    files=_FIRST_FILES,
    uncertain=_SIZE_COMPILED_IN,
    sources=(
        Source(Standing.READ, "https://github.com/nodemcu/nodemcu-firmware/commit/715ff5b7"),
        Source(Standing.READ, "https://github.com/nodemcu/nodemcu-firmware/commit/ff6e5e99"),
        Source(Standing.READ, f"{_NODEMCU}/2321ee97/app/spiffs/spiffs_nucleus.h"),
    ),
)

_NODEMCU_0_9_6: Final = Generation(
    name="NodeMCU 0.9.6",
    family=Family.NODEMCU,
    names=("NodeMCU",),
    numbering=Numbering.OWN,
    first=(0, 9, 6),
    before=(1,),
    needs_init_data=False,
    missing_init_data=InitDataRepair.IF_ERASED,
    own_init_data=OwnInitData("SDK 0.9"),
    keeps_rf_cal=False,
    sizes=SizeReading(codes=_WITHOUT_C1, own=_ALL_OLD_CODES, corrects=True),
    files=replace(_OLD_FILES, pages="0.9.6"),
    baud=9600,
    names_sdk=False,
    sources=(
        _tag("0.9.6-dev_20150704"),
        _tag("0.9.6-dev_20150704", "app/platform/flash_api.c"),
        _tag("0.9.6-dev_20150704", "app/spiffs/spiffs.c"),
        _GUIDE,
    ),
)

# Within ten weeks 0.9.5 read the size nibble in four ways, and moved its files once.
_OF_NODEMCU: Final = (
    replace(
        _BEFORE_0_9_5,
        name="NodeMCU before 0.9.5, built before 2014-12-26",
        builds=BuildDates("", "20141226"),
        files=replace(_FIRST_FILES, pages="0.9.2"),
        sources=(
            Source(Standing.RUN, f"{_BUILDS}/0.9.2/2M-flash/nodemcu_2M_20141219.bin"),
            *_BEFORE_0_9_5.sources,
        ),
    ),
    _BEFORE_0_9_5,
    replace(
        _NODEMCU_0_9,
        name="NodeMCU 0.9.5, built before 2015-01-27",
        builds=BuildDates("", "20150127"),
        sizes=SizeReading(codes=_WITHOUT_C1, own=_NO_CODES),
        files=_FIRST_FILES,
        sources=(
            Source(Standing.RUN, f"{_BUILDS}/0.9.5/nodemcu_20150107.bin"),
            Source(Standing.READ, f"{_NODEMCU}/acd9d0dc/app/platform/flash_api.c"),
            Source(Standing.READ, f"{_NODEMCU}/acd9d0dc/app/spiffs/spiffs.c"),
        ),
    ),
    replace(
        _NODEMCU_0_9,
        name="NodeMCU 0.9.5, built before 2015-02-12",
        builds=BuildDates("20150127", "20150212"),
        sizes=SizeReading(codes=_WITHOUT_C1, own=_NO_CODES),
        sources=(Source(Standing.READ, "https://github.com/nodemcu/nodemcu-firmware/commit/6a0599d2"),),
    ),
    replace(
        _NODEMCU_0_9,
        name="NodeMCU 0.9.5, built 2015-02-12 to 2015-02-14",
        builds=BuildDates("20150212", "20150215"),
        sizes=SizeReading(
            codes=_WITHOUT_C1 - {4},
            own={**dict.fromkeys(_OLD_CODES, 0x100_0000), **_UNKNOWN_CODES},
            others=_TAKEN_FOR_16MB,
        ),
        sources=(
            Source(Standing.RUN, f"{_BUILDS}/0.9.5/nodemcu_20150212.bin"),
            Source(Standing.READ, "https://github.com/nodemcu/nodemcu-firmware/commit/5d9caf23"),
            Source(Standing.READ, "https://github.com/nodemcu/nodemcu-firmware/commit/0232c13b"),
        ),
    ),
    replace(
        _NODEMCU_0_9,
        name="NodeMCU 0.9.5, built before 2015-03-16",
        builds=BuildDates("20150215", "20150316"),
        sizes=SizeReading(codes=_WITHOUT_C1, own=_ALL_OLD_CODES),
        sources=(
            Source(Standing.READ, "https://github.com/nodemcu/nodemcu-firmware/commit/0232c13b"),
            Source(Standing.READ, "https://github.com/nodemcu/nodemcu-firmware/commit/5c84359b"),
        ),
    ),
    _NODEMCU_0_9,
    replace(
        _NODEMCU_0_9_6,
        name="NodeMCU 0.9.6, built 2015-04-06",
        builds=BuildDates("20150406", "20150407"),
        files=replace(_OLD_FILES, pages="0.9.6-20150406"),
        sources=(
            _tag("0.9.6-dev_20150406"),
            _tag("0.9.6-dev_20150406", "app/spiffs/spiffs_nucleus.h"),
        ),
    ),
    _NODEMCU_0_9_6,
    Generation(
        name="NodeMCU 1.4",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(1,),
        before=(1, 5),
        needs_init_data=False,
        missing_init_data=InitDataRepair.IF_ERASED,
        # Byte 107 for reading the supply voltage, the default of its ADC module.
        own_init_data=OwnInitData("SDK 0.9", ((107, 0xFF),)),
        keeps_rf_cal=False,
        sizes=SizeReading(codes=_WITHOUT_C1, own=_ALL_OLD_CODES, corrects=True),
        files=replace(_OLD_FILES, pages="packed"),
        baud=9600,
        names_sdk=False,
        sources=(
            _tag("1.4.0-master_20151229"),
            _tag("1.4.0-master_20151229", "app/platform/flash_api.c"),
            _tag("1.4.0-master_20151229", "app/include/user_config.h"),
        ),
    ),
    Generation(
        name="NodeMCU 1.5",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(1, 5),
        before=(1, 5, 4, 1),
        needs_init_data=False,
        missing_init_data=InitDataRepair.SDK_DEFAULT,
        keeps_rf_cal=False,
        sizes=SizeReading(codes=_WITHOUT_C1, own=_ALL_OLD_CODES, corrects=True),
        files=replace(_OLD_FILES, pages="packed"),
        baud=115200,
        sources=(
            _tag("1.5.1-master_20160603"),
            _tag("1.5.1-master_20160603", "app/spiffs/spiffs.c"),
            Source(Standing.DOCUMENTED, "https://github.com/nodemcu/nodemcu-firmware/pull/1525"),
        ),
    ),
    Generation(
        name="NodeMCU 1.5.4.1",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(1, 5, 4, 1),
        before=(2,),
        needs_init_data=True,
        missing_init_data=InitDataRepair.IF_CARRIED,
        own_init_data=OwnInitData("v05", carried=True),
        sizes=SizeReading(codes=_WITHOUT_C1, others=_MISSES_INIT_DATA, corrects=True, doubled_from=5),
        files=SpiffsRule(magics=Magics.AS_INIT_DATA, place=FilePlace.BEHIND),
        baud=115200,
        sources=(
            _tag("1.5.4.1-master_20160802"),
            _tag("1.5.4.1-master_20161201"),
            _tag("1.5.4.1-master_20161201", "app/spiffs/spiffs.c"),
            Source(Standing.DOCUMENTED, "https://github.com/nodemcu/nodemcu-firmware/pull/1500"),
        ),
    ),
    Generation(
        name="NodeMCU 2.0",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(2,),
        before=(2, 1),
        needs_init_data=True,
        missing_init_data=InitDataRepair.IF_ERASED,
        own_init_data=OwnInitData("v05", carried=True),
        # On a larger chip it sets 1 MB itself, and has its files behind that.
        sizes=SizeReading(
            codes=_WITHOUT_C1, beyond=2, others=_MISSES_INIT_DATA, corrects=True, doubled_from=5
        ),
        files=SpiffsRule(magics=Magics.OLD, place=FilePlace.BEHIND),
        baud=115200,
        sources=(
            _tag("2.0.0-master_20170202"),
            _tag("2.0.0-master_20170202", "app/spiffs/spiffs.c"),
        ),
    ),
    Generation(
        name="NodeMCU 2.1",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(2, 1),
        before=(2, 2),
        needs_init_data=True,
        missing_init_data=InitDataRepair.IF_ERASED,
        own_init_data=OwnInitData("v05", carried=True),
        sizes=SizeReading(corrects=True),
        files=SpiffsRule(magics=Magics.BY_BUILD, place=FilePlace.BEHIND, probes_each=True),
        # 2.2.1-master_20180915, the first with LFS, takes its version from a header of the SDK that lagged.
        lfs=LfsPlace.IN_IROM,
        lfs_formats=(_PLAIN_LFS,),
        baud=115200,
        sources=(
            _tag("2.1.0-master_20170521"),
            _tag("2.1.0-master_20170521", "app/spiffs/spiffs.c"),
            _tag("2.1.0-master_20170811", "app/spiffs/spiffs.c"),
            Source(Standing.RUN, "https://github.com/nodemcu/nodemcu-firmware/tree/2.1.0-master_20170824"),
        ),
    ),
    Generation(
        name="NodeMCU 2.2",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(2, 2),
        before=(3,),
        needs_init_data=True,
        missing_init_data=InitDataRepair.IF_ERASED,
        own_init_data=OwnInitData("v05", carried=True),
        sizes=SizeReading(corrects=True),
        files=SpiffsRule(magics=Magics.LINEAR, place=FilePlace.BEHIND, probes_each=True),
        lfs=LfsPlace.IN_IROM,
        lfs_formats=(_PLAIN_LFS, _GZIP_LFS),
        baud=115200,
        sources=(
            _tag("2.2.0-master_20180402"),
            _tag("2.2.1-master_20190405"),
            _tag("2.2.1-master_20190405", "app/spiffs/spiffs.c"),
            _tag("2.2.1-master_20190405", "app/lua/lflash.c"),
        ),
    ),
    Generation(
        name="NodeMCU 3",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        first=(3,),
        rule="NodeMCU's partition table",
        kept=(),
        has_partition_table=True,
        needs_init_data=True,
        missing_init_data=InitDataRepair.UNLESS_RECORDED,
        own_init_data=OwnInitData("v05"),
        sizes=SizeReading(least=0x10_0000),
        files=_FILES_IN_PARTITION,
        lfs=LfsPlace.PARTITION,
        lfs_formats=("Lua 5.1, gzip", "Lua 5.3"),
        baud=115200,
        sources=(
            _tag("3.0-master_20190907"),
            _tag("3.0.0-release_20240225"),
            _tag("3.0.0-release_20240225", "app/spiffs/spiffs.c"),
            Source(Standing.SEEN, "https://github.com/nodemcu/nodemcu-firmware/tree/3.0.0-release_20240225"),
        ),
    ),
    Generation(
        name="NodeMCU of a release that is not known",
        family=Family.NODEMCU,
        names=("NodeMCU",),
        numbering=Numbering.OWN,
        release_known=False,
        sizes=SizeReading(detected=_WITHOUT_C1, others=_TAKEN_BY_OLD),
        lfs=LfsPlace.UNKNOWN,
        sources=(Source(Standing.INFERRED, f"{_NODEMCU}/release/app/include/user_version.h"),),
    ),
)

_OF_SDK: Final = (
    Generation(
        name="non-OS SDK before 1.5.4.1",
        family=Family.NON_OS,
        before=(1, 5, 4, 1),
        needs_init_data=False,
        missing_init_data=InitDataRepair.SDK_DEFAULT,
        keeps_rf_cal=False,
        sizes=SizeReading(codes=_UP_TO_4MB, others=_TAKES_FOR_512KB),
        irom=(0x4_0000,),
        sources=(_HALTS, _OLD_LIBRARIES, _SDK_GUIDE),
    ),
    Generation(
        name="non-OS SDK 1.5.4.1 to 2.0",
        family=Family.NON_OS,
        first=(1, 5, 4, 1),
        before=(2, 1),
        needs_init_data=True,
        missing_init_data=InitDataRepair.NEVER,
        sizes=SizeReading(codes=_UP_TO_4MB, others=_TAKES_FOR_512KB),
        irom=(IROM_PLACE, 0x4_0000),
        sources=(_HALTS, Source(Standing.READ, f"{_SDK}/tree/v2.0.0/lib"), _SDK_EXAMPLES),
    ),
    Generation(
        name="non-OS SDK 2.1 and 2.2",
        family=Family.NON_OS,
        first=(2, 1),
        before=(3,),
        needs_init_data=True,
        missing_init_data=InitDataRepair.NEVER,
        sources=(Source(Standing.READ, f"{_SDK}/tree/v2.2.1/lib"), _SDK_SIZES, _SDK_EXAMPLES, _SDK_GUIDE),
    ),
    Generation(
        name="non-OS SDK 3",
        family=Family.NON_OS,
        first=(3,),
        needs_init_data=True,
        missing_init_data=InitDataRepair.NEVER,
        uncertain=_OWN_PLACES,
        sources=(
            Source(Standing.READ, f"{_SDK}/tree/v3.0/lib"),
            Source(Standing.READ, f"{_SDK}/blob/v3.0/examples/IoT_Demo/user/user_main.c"),
        ),
    ),
    Generation(
        name="non-OS SDK of a version that is not known",
        family=Family.NON_OS,
        release_known=False,
        sizes=SizeReading(detected=_UP_TO_4MB, others=_TAKEN_BY_OLD),
        irom=(IROM_PLACE, 0x4_0000),
        sources=(Source(Standing.INFERRED, f"{_SDK}/tree/v2.2.1/examples"),),
    ),
)


def _at(row: Generation) -> Generation:
    """AT firmware keeps what its SDK keeps."""
    name = row.name.replace("non-OS SDK", "AT on SDK", 1)
    sizes = replace(row.sizes, built=_OF_AT)
    return replace(
        row, name=name, family=Family.AT, names=("ESP8266 AT",), starts_behind_eboot=False, sizes=sizes
    )


_EEPROM: Final = (
    KeptSectors(PartKind.USER_DATA, "EEPROM", 5, 1),
    KeptSectors(PartKind.RF_CAL, "rf-cal", 4, 1),
    KeptSectors(PartKind.SYSTEM_PARAM, "system-param", 3, 3),
)
ARDUINO: Final = "Arduino core on an SDK that is not known"
"""The row for what is known to be a sketch, and not on which SDK."""

_ARDUINO: Final = Generation(
    name=ARDUINO,
    family=Family.ARDUINO,
    names=ARDUINO_NAMES,
    release_known=False,
    rule="the Arduino core's",
    kept=_EEPROM,
    needs_init_data=False,
    missing_init_data=InitDataRepair.COMPILED_IN,
    sizes=SizeReading(
        codes=ALL_CODES - _TWO_SLOTS, detected=_WITHOUT_C1, built=_OF_SKETCH, others=_SKETCH_UNKNOWN_MAP
    ),
    files=SpiffsRule(magics=Magics.CONSTANT, place=FilePlace.LINKED, tries=0, gap=None),
    irom=(),
    starts_behind_eboot=True,
    sources=(_ARDUINO_CORE,),
)
_OF_ARDUINO: Final = (
    replace(
        _ARDUINO,
        name="Arduino core 2.0 to 2.3 (SDK before 1.5.4.1)",
        release_known=True,
        before=(1, 5, 4, 1),
        keeps_rf_cal=False,
        sizes=SizeReading(codes=_UP_TO_4MB, built=_OF_SKETCH, others=_TAKES_FOR_512KB),
        sources=(_ARDUINO_CORE, _OLD_LIBRARIES),
    ),
    replace(
        _ARDUINO,
        name="Arduino core from 2.4 on (SDK 2)",
        release_known=True,
        first=(1, 5, 4, 1),
        before=(3,),
        sizes=SizeReading(codes=ALL_CODES - _TWO_SLOTS, built=_OF_SKETCH, others=_SKETCH_UNKNOWN_MAP),
        sources=(_ARDUINO_CORE, Source(Standing.READ, f"{_SDK}/tree/v2.2.1/lib")),
    ),
    replace(
        _ARDUINO,
        name="Arduino core built with SDK 3",
        release_known=True,
        first=(3,),
        sizes=SizeReading(codes=ALL_CODES - _TWO_SLOTS, built=_SKETCH_STOPS, others=_SKETCH_UNKNOWN_MAP),
        uncertain=_OWN_PLACES,
        sources=(_ARDUINO_CORE, Source(Standing.READ, f"{_SDK}/tree/v3.0/lib")),
    ),
    _ARDUINO,
)

_PORT: Final = "https://github.com/micropython/micropython/blob/master/ports/esp8266"
# Which SDK is inside does not follow from its version.
_MICROPYTHON: Final = Generation(
    name="MicroPython",
    family=Family.MICROPYTHON,
    names=("MicroPython", "CircuitPython"),
    release_known=False,
    needs_init_data=True,
    missing_init_data=InitDataRepair.IF_ERASED,
    own_init_data=OwnInitData("v05"),
    sizes=SizeReading(codes=_UP_TO_4MB, others=_PYTHON_MISSES),
    files_in_fat=True,
    irom=(0x9000,),
    baud=115200,
    sources=(
        Source(Standing.READ, f"{_PORT}/esp_init_data.c"),
        Source(Standing.READ, f"{_PORT}/modules/inisetup.py"),
        Source(Standing.DOCUMENTED, "https://github.com/espressif/esptool/issues/202"),
        Source(Standing.DOCUMENTED, "https://github.com/micropython/micropython/issues/6874"),
    ),
)
_OF_MICROPYTHON: Final = (
    Generation(
        name="MicroPython on an SDK before 1.5.4.1",
        family=Family.MICROPYTHON,
        names=("MicroPython", "CircuitPython"),
        before=(1, 5, 4, 1),
        needs_init_data=False,
        missing_init_data=InitDataRepair.SDK_DEFAULT,
        keeps_rf_cal=False,
        sizes=SizeReading(codes=_UP_TO_4MB, others=_TAKES_FOR_512KB),
        files_in_fat=True,
        irom=(0x9000,),
        sources=(_OLD_LIBRARIES._replace(standing=Standing.INFERRED),),
    ),
    replace(
        _MICROPYTHON,
        name="MicroPython on SDK 1.5.4.1 to 2.0",
        release_known=True,
        first=(1, 5, 4, 1),
        before=(2, 1),
        sizes=SizeReading(codes=_UP_TO_4MB, others=_TAKES_FOR_512KB),
    ),
    # It writes init data before the SDK reads the nibble, by what the boot ROM makes of it: 4 MB is the most
    # that runs on an erased chip.
    replace(_MICROPYTHON, name="MicroPython on SDK 2.1 and later", release_known=True, first=(2, 1)),
    _MICROPYTHON,
)

_RTOS: Final = "https://github.com/espressif/ESP8266_RTOS_SDK"
_OF_OTHERS: Final = (
    Generation(
        name="RTOS SDK 3",
        family=Family.RTOS_3,
        names=("ESP8266 RTOS SDK application", "ESP8266 RTOS SDK boot loader"),
        numbering=Numbering.NONE,
        rule="the RTOS SDK's partition table",
        kept=(),
        needs_init_data=False,
        missing_init_data=InitDataRepair.COMPILED_IN,
        sizes=SizeReading(built=_OF_TABLE),
        irom=(),
        sources=(
            Source(Standing.READ, f"{_RTOS}/tree/master/components/partition_table"),
            Source(Standing.SEEN, f"{_RTOS}/tree/master/components/bootloader_support"),
        ),
    ),
    Generation(
        name="esp-open-rtos",
        family=Family.OPEN_RTOS,
        names=("esp-open-rtos", "HAA", "LCM"),
        numbering=Numbering.NONE,
        sizes=SizeReading(built=_OF_SYSPARAM),
        irom=(),
        needs_init_data=False,
        missing_init_data=InitDataRepair.COMPILED_IN,
        keeps_rf_cal=False,
        sources=(
            Source(Standing.READ, "https://github.com/SuperHouse/esp-open-rtos/blob/master/core/app_main.c"),
            Source(Standing.READ, "https://github.com/SuperHouse/esp-open-rtos/blob/master/core/sysparam.c"),
        ),
    ),
    Generation(
        name="Sming",
        family=Family.SMING,
        names=("Sming",),
        numbering=Numbering.NONE,
        sizes=SizeReading(codes=_WITHOUT_C1, built=_OF_SMING),
        files=SpiffsRule(magics=Magics.NONE, place=FilePlace.LINKED, blocks=(0x2000,), tries=0, gap=None),
        sources=(Source(Standing.READ, "https://github.com/SmingHub/Sming/tree/develop/Sming/Arch/Esp8266"),),
    ),
)

BUILT_SIZES: Final[Mapping[Starter, BuiltSize]] = {
    Starter.SDK: BuiltSize(
        "with Espressif's boot loader it must be the one that the user images were built for",
        "the firmware in the second slot, and what is kept in front of the end, is looked for elsewhere",
    ),
    Starter.RBOOT: BuiltSize(
        "where rBoot has its ROMs may follow from it", "rBoot may look for its second ROM elsewhere"
    ),
    Starter.RTOS: _OF_TABLE,
}
"""The same of boot loaders, whatever they start."""

FILES_OF_FIRST_TABLES: Final = replace(_FILES_IN_PARTITION, blocks=(0x2000,), least_blocks=3)
"""How the first two releases of NodeMCU 3.0 make their SPIFFS: their small blocks are out of reach, and a
file system of two blocks is not found again (3.0-master_20190907, app/spiffs/spiffs.c; run)."""

GENERATIONS: Final = (*_OF_NODEMCU, *_OF_SDK, *map(_at, _OF_SDK), *_OF_ARDUINO, *_OF_MICROPYTHON, *_OF_OTHERS)
"""All rows, those of a family in the order of their releases."""


def generation(name: str) -> Generation:
    """The row of that name.

    Raises:
        KeyError: There is none.
    """
    found = next((row for row in GENERATIONS if row.name == name), None)
    if found is None:
        raise KeyError(name)
    return found


def generation_of(firmware: Firmware | None, *, paged: bool = False) -> Generation:
    """The row of a firmware.

    Args:
        firmware: What its strings say; None where they say nothing: then it counts as a non-OS SDK firmware.
        paged: Whether there is a NodeMCU partition table in its image, which decides before all strings.
    """
    own = _by_strings(firmware)
    if not paged or own.has_partition_table:
        return own
    return [row for row in GENERATIONS if row.has_partition_table][-1]


def _by_strings(firmware: Firmware | None) -> Generation:
    name = "" if firmware is None else firmware.name
    family = next((row.family for row in GENERATIONS if name in row.names), Family.NON_OS)
    rows = [row for row in GENERATIONS if row.family is family]
    release = _release(firmware, rows[0].numbering)
    built = "" if firmware is None else re.sub(r"\D", "", firmware.build or "")[:_DAY]
    covering = (row for row in rows if row.covers(release, built)) if release else iter(())
    unknown = next((row for row in rows if not row.release_known), rows[-1])
    return next(covering, unknown)


def _release(firmware: Firmware | None, numbering: Numbering) -> Release:
    """The number that tells the generation; empty where it is not known."""
    if firmware is None or numbering is Numbering.NONE:
        return ()
    if numbering is Numbering.OWN:
        return firmware.release
    numbers = re.match(r"\d+(?:\.\d+)*", firmware.sdk or "")
    return () if numbers is None else tuple(int(number) for number in numbers[0].split("."))
