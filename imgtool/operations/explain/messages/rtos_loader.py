"""What the boot loader of the RTOS SDK 3 says.

Not the lines of the application that it starts, though both have the same form.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, IROM_BASE, RTOS_TABLE_PLACE, SECTOR
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, PlacedFile, Remark, Stretch, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.operations.explain.messages.row import Told

__all__ = ["ROWS"]

_SUPPORT: Final = (
    "https://github.com/espressif/ESP8266_RTOS_SDK/blob/master/components/bootloader_support/src"
)
_UTILITY: Final = f"{_SUPPORT}/bootloader_utility.c"
_PARTS: Final = f"{_SUPPORT}/flash_partitions.c"
_IMAGE: Final = f"{_SUPPORT}/esp_image_format.c"
_FLASH: Final = f"{_SUPPORT}/bootloader_flash.c"
_INIT: Final = f"{_SUPPORT}/bootloader_init.c"

_MB: Final = 0x10_0000
_LAST: Final = 0x20_0000  # applications at or behind it are refused up to 3.3
_ERASED: Final = 0xFFFF
_IMAGE_MAGIC: Final = 0xE9
_TABLE: Final = Stretch(RTOS_TABLE_PLACE, SECTOR)
_OTA_DATA: Final = Stretch(0xD000, 2 * SECTOR)
_LOADED: Final = ("rtos-loaded", "rtos-segment")

_SEE_TABLE: Final = cure(
    "See what stands in the table.",
    actions.read(FileRole.TABLE_SECTOR, _TABLE),
    actions.inspect(FileRole.TABLE_SECTOR),
)
_WRITE_TABLE: Final = cure(
    "Write the partition table where the build says, mostly at 0x8000.",
    actions.flash(PlacedFile(FileRole.PARTITION_TABLE, _TABLE.start)),
)
_WRITE_APPLICATION: Final = cure(
    "Write the application that was built for that place again.",
    actions.flash(PlacedFile(FileRole.APPLICATION, Unknown.ADDRESS)),
)
_SEE_APPLICATION: Final = cure(
    "See whether the file is whole, and for which address it was linked.",
    actions.inspect(FileRole.APPLICATION),
)
_SIZE_OF_LOADER: Final = cure(
    "Ask the chip for its size, and write the boot loader again with that size in its header.",
    actions.ask_chip(),
    actions.flash(PlacedFile(FileRole.BOOT_LOADER, 0), size=Unknown.SIZE),
)
_SAFER_LOADER: Final = cure(
    "Write the boot loader again in a mode that every board can read.",
    actions.flash(PlacedFile(FileRole.BOOT_LOADER, 0), mode="dio"),
)
_MOVE_SLOT: Final = cure(
    "Give the application a slot that lies inside one MB of the first two, in the partition table of the "
    "project, such as 0x10000 and 0x110000 with up to 0xf0000 bytes each; build, and write table and "
    "application again.",
    actions.flash(
        PlacedFile(FileRole.PARTITION_TABLE, _TABLE.start),
        PlacedFile(FileRole.APPLICATION, Unknown.ADDRESS),
    ),
)

_NO_TABLE: Final = LogOutcome(
    Verdict.PARTITION_TABLE,
    "The boot loader of the RTOS SDK finds no partition table.",
    "It says '{text}'. The table is a file of its own, mostly for 0x8000, made by the build: it was not "
    "written, it is damaged, it went to another address than the boot loader was built for, or the flash "
    "cannot be read in the mode of the boot loader's header.",
    (_WRITE_TABLE, _SEE_TABLE, _SAFER_LOADER),
)
_BAD_TABLE: Final = LogOutcome(
    Verdict.PARTITION_TABLE,
    "The boot loader of the RTOS SDK refuses the partition table.",
    "It says '{text}': the table is damaged, or was written only in part.",
    (_WRITE_TABLE, _SEE_TABLE),
)
_UNREADABLE: Final = LogOutcome(
    Verdict.BAD_IMAGE,
    "The boot loader of the RTOS SDK cannot read the flash.",
    "It says '{text}'. The header of the boot loader has a larger size than the chip, or a mode that the "
    "board has no lines for; or the flash chip does not answer.",
    (_SIZE_OF_LOADER, _SAFER_LOADER),
)
_NO_APPLICATION: Final = LogOutcome(
    Verdict.NO_IMAGE,
    "The boot loader of the RTOS SDK finds no application that it can start.",
    "It says '{text}'. The partition table is there. Where it has an application, none was written, or it is "
    "damaged, or it is for another address.",
    (_WRITE_APPLICATION, _SEE_TABLE),
)
_DAMAGED: Final = LogOutcome(
    Verdict.BAD_IMAGE,
    "The boot loader of the RTOS SDK refuses the application: it is damaged, or too large.",
    "It says '{text}': what stands in the slot is not what was built. It was not written whole, another "
    "write went over it, or the slot is smaller than the application.",
    (_SEE_APPLICATION, _WRITE_APPLICATION),
)
_WRONG_BUILD: Final = _DAMAGED._replace(
    sentence="The boot loader of the RTOS SDK refuses the application: it does not fit this boot loader.",
    cause="It says '{text}': a segment of the application lies where the boot loader itself is, or its data "
    "does not follow it. Application and boot loader are of different builds.",
)


def _crossing(outcome: LogOutcome, told: Told) -> LogOutcome:
    """Where the application ends, and which line it crosses."""
    start, length = int(told.groups["start"], 16), int(told.groups["length"])
    end = start + length
    line = (start // _MB + 1) * _MB
    later = (
        "A newer boot loader does not help: it no longer refuses that, but the application probably crashes."
    )
    if start >= _LAST:
        why = f"it lies at or behind 0x{_LAST:x}"
        later = "Those of 3.4 start applications up to 8 MB."
    elif end >= line:
        reached = "reaches" if end == line else "crosses"
        why = (
            f"it ends at 0x{end:x}, and so {reached} the line of 1 MB at 0x{line:x}; the chip sees one MB of "
            "flash at a time"
        )
    else:
        why = f"it ends at 0x{end:x}, inside one MB, so characters of that line may be lost"
        later = ""
    return outcome._replace(
        cause=f"The application is at 0x{start:x} and has {length:,} bytes: {why}. Boot loaders of the RTOS "
        f"SDK 3.0 to 3.3 refuse that, and stop. {later}".strip()
    )


def _magic(outcome: LogOutcome, told: Told) -> LogOutcome:
    """What stands in place of an entry of the table."""
    if not told.groups["magic"]:
        return outcome
    value, entry = int(told.groups["magic"], 16), int(told.groups["entry"])
    low, high = value & 0xFF, value >> 8
    if value == _ERASED:
        why = "The flash is erased there: the table was not written, or to another address than 0x8000"
    elif low == high and entry == 0:
        why = (
            "Both bytes there are alike, as where the flash is read in a mode that the board has no lines "
            "for; or another file stands there"
        )
        outcome = outcome._replace(cures=(_SAFER_LOADER, _WRITE_TABLE, _SEE_TABLE))
    elif low == _IMAGE_MAGIC and entry == 0:
        why = "An image of a firmware begins there: a file for another address was written over the table"
    else:
        why = "Another file stands there, or the table is damaged"
    return outcome._replace(cause=f"It says '{told.message.text.strip()}', of entry {entry}. {why}.")


def _larger(outcome: LogOutcome, told: Told) -> LogOutcome:
    """Where the partition ends, and which flash would have that."""
    start, size, flash = (int(told.groups[name], 16) for name in ("offset", "size", "flash_bytes"))
    needed = next((each.name for each in FLASH_SIZES if each.bytes >= start + size), None)
    fits = f"; a flash of {needed} has that" if needed else ""
    return outcome._replace(
        cause=f"A partition at 0x{start:x} of {size:,} bytes ends at 0x{start + size:x}{fits}. The header of "
        f"the boot loader states {flash:,} bytes. The header has too small a size, or the table is for "
        "another chip."
    )


def _of_slot(outcome: LogOutcome, told: Told) -> LogOutcome:
    """Which slot it is; or that the application runs already, and looks at an update."""
    if any(each.kind == "rtos-loaded" and each.line < told.message.line for each in told.boot.messages):
        return LogOutcome(
            Verdict.SPEAKS,
            "The application was started, and refused an update.",
            f"Line {told.message.line} says '{told.message.text.strip()}'. The boot loader has started the "
            "application before that; so it is the application that looks at an image in another slot, "
            "which is not whole. The old one stays.",
        )
    place = _slot_before(told)
    if place is None:
        return outcome
    write = cure(
        f"Write the application that was built for 0x{place:x} there again.",
        actions.flash(PlacedFile(FileRole.APPLICATION, place)),
    )
    return outcome._replace(
        cause=f"{outcome.cause} The slot is the one at 0x{place:x}.",
        cures=tuple(write if each is _WRITE_APPLICATION else each for each in outcome.cures),
    )


def _slot_before(told: Told) -> int | None:
    """Where the slot begins that a line is about: it says so, or the segment in front of it does."""
    if told.groups.get("at"):
        return int(told.groups["at"], 16)
    texts = [each.text for each in told.boot.messages if each.line <= told.message.line]
    found = [match for text in texts if (match := re.search(r"segment 0: paddr=0x([0-9a-f]{1,8})", text))]
    return int(found[-1][1], 16) // SECTOR * SECTOR if found else None


def _linked_elsewhere(outcome: LogOutcome, told: Told) -> LogOutcome:
    """For which place the application was built; another slot may have been started in its stead."""
    found, linked = int(told.groups["paddr"], 16), int(told.groups["vaddr"], 16) - IROM_BASE
    slot, built = found // SECTOR * SECTOR, (linked - found % SECTOR) % _MB
    loaded = re.search(r"0x([0-9a-f]{1,8})$", told.boot.text_of("rtos-loaded"))
    if loaded and int(loaded[1], 16) != slot:
        return LogOutcome(
            Verdict.UNFINISHED,
            "The image was loaded; whether it runs cannot be told from this log.",
            f"The boot loader started the application at 0x{int(loaded[1], 16):x}, as the one at 0x{slot:x} "
            "cannot be started. What comes behind that is not in the log.",
        )
    return outcome._replace(
        cause=f"It is at 0x{slot:x}, and its code was linked for 0x{built:x} of one MB of flash: addresses "
        "in it point elsewhere. An update must be built for the slot that it goes to."
    )


_loader = partial(Message, speaker=Speaker.RTOS_LOADER, source=_UTILITY)
_fails = partial(_loader, weight=Weight.FAILS, unless=_LOADED, until_runs=True)

ROWS: Final = (
    _loader(
        name="rtos-loader",
        marks="stage bootloader",
        form=r"\bboot: ESP-IDF \S{1,40} 2nd stage bootloader",
        example="I (81) boot: ESP-IDF v3.3-rc1-82-g2a65b024 2nd stage bootloader",
        weight=Weight.NORMAL,
        says="the boot loader begins",
        begins=True,
        source=_INIT,
    ),
    _loader(
        name="rtos-table",
        marks="boot",
        form=(
            r"\bI \(\d{1,9}\) boot: (?:compile time .{1,30}|SPI (?:Speed|Mode) {1,8}: \S{1,10}|"
            r"SPI Flash Size {1,4}: (?P<named>\d{1,4}[KM]B)|Partition Table:|## Label .{1,80}|"
            r" {0,2}\d{1,2} \S{1,16} {1,16}\S.{1,60}|End of partition table|Defaulting to factory image|"
            r"No factory image, trying OTA 0)"
        ),
        example="I (124) boot: SPI Flash Size : 4MB",
        weight=Weight.NORMAL,
        says="header and partition table",
        source=_INIT,
    ),
    _loader(
        name="rtos-segment",
        marks="segment paddr",
        form=(
            r"\besp_image: segment (?!0: paddr=0x[0-9a-f]{3}(?P<low>[0-9a-f]{5}) "
            r"vaddr=0x402(?!(?P=low)))\d{1,2}: paddr=0x[0-9a-f]{1,8} vaddr=0x[0-9a-f]{1,8}"
            r" size=0x[0-9a-f]{1,8}.{0,30}"
        ),
        example="I (191) esp_image: segment 0: paddr=0x00010010 vaddr=0x40210010 size=0x4a0e4 (303332) map",
        weight=Weight.NORMAL,
        says="a segment of the application is looked at",
        source=_IMAGE,
    ),
    _loader(
        name="rtos-loaded",
        marks="loaded app partition",
        form=r"\bboot: Loaded app from partition at offset 0x[0-9a-f]{1,8}",
        example="I (329) boot: Loaded app from partition at offset 0x10000",
        weight=Weight.NORMAL,
        says="the last line of the boot loader: it starts the application",
    ),
    _loader(
        name="rtos-qio",
        marks="qio_mode|quad",
        form=(
            r"\bI \(\d{1,9}\) qio_mode: .{1,80}|\b[WE] \(\d{1,9}\) qio_mode: .{1,80}|"
            r"\bFailed to set QIE bit, not enabling QIO mode"
        ),
        example="I (82) qio_mode: Enabling default flash chip QIO",
        weight=Weight.NORMAL,
        says="how the flash chip takes the mode qio",
        source=f"{_SUPPORT}/flash_qio_mode.c",
    ),
    _loader(
        name="rtos-loader-line",
        marks="boot|boot_comm|esp_image|qio_mode|flash_parts|chip_boot|bootloader_flash|bootloader_common|"
        "bootloader_mmap|flash_encrypt|secure_boot|efuse",
        form=(
            r"\b[DV] \(\d{1,9}\) (?:boot|boot_comm|esp_image|qio_mode|flash_parts|chip_boot|"
            r"bootloader_(?:flash|common|mmap)|flash_encrypt|secure_boot|efuse): ?.{0,120}|"
            r"\b[IW] \(\d{1,9}\) (?:boot: (?:Falling back|Disabling|Enabling|Detect|Checking|Verifying|Copy|"
            r"Data partitions|Resetting)|esp_image: (?:Calculating|image valid)|(?:boot_comm|chip_boot|"
            r"bootloader_(?:flash|common|mmap)|flash_encrypt|secure_boot|efuse): ).{0,120}"
        ),
        example="I (335) boot: Disabling RNG early entropy source...",
        weight=Weight.NORMAL,
        says="another line of the boot loader; applications do not use its names",
    ),
    # The partition table.
    _fails(
        name="table-magic",
        marks="invalid magic number|verify partition table",
        form=(
            r"\bpartition (?P<entry>\d{1,3}) invalid magic number 0x(?P<magic>[0-9a-f]{1,8})|"
            r"\bFailed to verify partition table"
        ),
        example="E (63) flash_parts: partition 0 invalid magic number 0xffff",
        says=_NO_TABLE,
        refine=_magic,
        source=_PARTS,
    ),
    _fails(
        name="no-table",
        marks="load partition table",
        form=r"\bload partition table error ?!",
        example="E (63) boot: load partition table error!",
        says=_NO_TABLE,
    ),
    _fails(
        name="table-exceeds",
        marks="exceeds flash chip",
        form=(
            r"\bpartition \d{1,3} invalid - offset 0x(?P<offset>[0-9a-f]{1,8}) size 0x"
            r"(?P<size>[0-9a-f]{1,8}) exceeds flash chip size (?P<flash_bytes>0x[0-9a-f]{1,8})"
        ),
        example="E (66) flash_parts: partition 3 invalid - offset 0x110000 size 0x100000 exceeds flash chip "
        "size 0x100000",
        says=LogOutcome(
            Verdict.PARTITION_TABLE,
            "The boot loader of the RTOS SDK refuses the partition table: it is for a larger flash.",
            "A partition reaches behind the end of the flash that the header of the boot loader states.",
            (_SIZE_OF_LOADER, _SEE_TABLE),
        ),
        refine=_larger,
        source=_PARTS,
    ),
    _fails(
        name="table-damaged",
        marks="md5|terminating entry",
        form=(
            r"\bIncorrect MD5 checksum|\bOnly one MD5 checksum is allowed|"
            r"\bpartition table has no terminating entry, not valid"
        ),
        example="E (65) flash_parts: Incorrect MD5 checksum",
        says=_BAD_TABLE,
        source=_PARTS,
    ),
    # The flash.
    _fails(
        name="rtos-unreadable",
        marks="bootloader_mmap|bootloader_flash_read|bootloader read|spi flash read result",
        form=(
            r"\bbootloader_mmap\(0x[0-9a-f]{1,8}, ?0x[0-9a-f]{1,8}\) failed|"
            r"\bbootloader_flash_read failed at 0x[0-9a-f]{1,8}|"
            r"\bbootloader read flash @ ?(?:0x)?[0-9a-f]{1,8} \d{1,8} error|\bSPI flash read result -?\d{1,5}"
        ),
        example="E (61) boot: bootloader_mmap(0x8000, 0xc00) failed",
        says=_UNREADABLE,
        source=_FLASH,
    ),
    _fails(
        name="rtos-flash-part",
        marks="bootloader header|xmc|sfdp",
        form=(
            r"\bfailed to load bootloader header|\bfailed when running XMC startup flow|"
            r"\bXMC flash startup fail|\bXMC chip detected ?\([0-9a-fx]{1,10}\) while support disable|"
            r"\bfailed to read sfdp"
        ),
        example="E (52) boot_comm: XMC flash startup fail",
        says=LogOutcome(
            Verdict.HARDWARE,
            "The boot loader of the RTOS SDK cannot set up the flash chip.",
            "It says '{text}': the flash chip needs a start of its own, as those of XMC do, and this boot "
            "loader does not have it.",
            (
                cure(
                    "Build boot loader and application with the RTOS SDK 3.4 or later, with support for XMC."
                ),
                _SAFER_LOADER,
            ),
        ),
        source=f"{_SUPPORT}/bootloader_common.c",
    ),
    # The application.
    _fails(
        name="app-bin-error",
        marks="app bin error",
        form=(
            r"\bERROR: app bin error, start_addr (?:0x)?(?P<start>[0-9a-f]{1,8}) image_len "
            r"(?P<length>\d{1,9})"
        ),
        example="E (388) boot: ERROR: app bin error, start_addr a6000 image_len 569088",
        says=LogOutcome(
            Verdict.PARTITION_TABLE,
            "The boot loader of the RTOS SDK refuses the application: it does not lie inside one MB of "
            "flash.",
            "The application at 0x{start} has {length} bytes.",
            (_MOVE_SLOT,),
        ),
        refine=_crossing,
        unless=(),
        until_runs=False,
        versions="3.0 to 3.3",
    ),
    _fails(
        name="mapped-address",
        marks="flash mapped address",
        form=r"\bflash mapped address (?:0x)?(?P<at>[0-9a-f]{1,8}) is invalid",
        example="E (84) bootloader_flash: flash mapped address 810000 is invalid",
        says=LogOutcome(
            Verdict.PARTITION_TABLE,
            "The boot loader of the RTOS SDK cannot start an application that lies behind 8 MB.",
            "It says '{text}': the slot at 0x{at} is at or behind 0x800000, which the chip cannot map.",
            (_MOVE_SLOT,),
        ),
        unless=(),
        until_runs=False,
        source=_FLASH,
        versions="3.4",
    ),
    _fails(
        name="app-magic",
        marks="image invalid magic byte|slot bootable|factory bootable",
        form=(
            r"\bimage at 0x(?P<at>[0-9a-f]{1,8}) has invalid magic byte|"
            r"\bOTA app partition slot \d{1,2} is not bootable|\bFactory app partition is not bootable"
        ),
        example="E (60) esp_image: image at 0x10000 has invalid magic byte",
        says=_NO_APPLICATION,
        refine=_of_slot,
        source=_IMAGE,
    ),
    _fails(
        name="no-bootable",
        marks="no bootable|test firmware found",
        form=(
            r"\bNo bootable (?:app|test) partitions?(?: in the partition table)?|"
            r"\bTest firmware is not found in partition table"
        ),
        example="E (80) boot: No bootable app partitions in the partition table",
        says=_NO_APPLICATION,
    ),
    _loader(
        name="app-header",
        marks="invalid spi",
        form=r"\bimage at 0x[0-9a-f]{1,8} has invalid SPI (?:mode|speed|size) \d{1,5}",
        example="W (70) esp_image: image at 0x10000 has invalid SPI mode 255",
        weight=Weight.NOTED,
        says=Remark(
            "Line {line} says '{text}': the header of the application has a value that means nothing."
        ),
        source=_IMAGE,
    ),
    _fails(
        name="app-structure",
        marks="segment count|offset wrapped|segment length|larger 16mb|mb|partition length",
        form=(
            r"\bimage at 0x[0-9a-f]{1,8} segment count \d{1,5} exceeds max \d{1,3}|"
            r"\bimage offset has wrapped|\bunaligned segment length 0x[0-9a-f]{1,8}|"
            r"\binvalid segment length 0x[0-9a-f]{1,8}|"
            r"\bpartition size 0x[0-9a-f]{1,8} invalid, larger than 16MB|"
            r"\bImage length \d{1,9} doesn't fit in partition length \d{1,9}"
        ),
        example="E (340) esp_image: Image length 569088 doesn't fit in partition length 393216",
        says=_DAMAGED,
        refine=_of_slot,
        source=_IMAGE,
    ),
    _fails(
        name="app-segment",
        marks="end address too high|load address match",
        form=(
            r"\bSegment \d{1,2} end address 0x[0-9a-f]{1,8} too high|"
            r"\bSegment \d{1,2} load address 0x[0-9a-f]{1,8}, doesn't match data 0x[0-9a-f]{1,8}"
        ),
        example="E (90) esp_image: Segment 1 end address 0x40108000 too high (bootloader stack 0x40107ff0)",
        says=_WRONG_BUILD,
        refine=_of_slot,
        source=_IMAGE,
    ),
    _fails(
        name="app-checksum",
        marks="checksum calculated|hash corrupt|signature verification|corrupted flash",
        form=(
            r"\bChecksum failed\. Calculated 0x[0-9a-f]{1,4} read 0x[0-9a-f]{1,4}|"
            r"\bImage hash failed - image is corrupt|\bSecure boot signature verification failed|"
            r"\bimage corrupted on flash"
        ),
        example="E (400) esp_image: Checksum failed. Calculated 0x1c read 0xe3",
        says=_DAMAGED,
        refine=_of_slot,
        source=_IMAGE,
    ),
    _loader(
        name="rtos-elsewhere",
        marks="segment paddr",
        form=(
            r"\besp_image: segment 0: paddr=0x(?P<paddr>[0-9a-f]{3}(?P<low>[0-9a-f]{5})) "
            r"vaddr=0x(?P<vaddr>402(?!(?P=low))[0-9a-f]{5}) size=0x[0-9a-f]{1,8}.{0,30}"
        ),
        example="I (369) esp_image: segment 0: paddr=0x000a6010 vaddr=0x40210010 size=0x707c4 (460740) map",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.BAD_IMAGE,
            "The application was built for another slot than the one that it is in.",
            "Line {line} says '{text}'.",
            (_SEE_APPLICATION, _WRITE_APPLICATION),
        ),
        refine=_linked_elsewhere,
        unless=("rtos-application", "rtos-start", "rtos-address"),
        until_runs=True,
        source=_IMAGE,
    ),
    _loader(
        name="ota-data",
        marks="ota data partition|ota_info",
        form=r"\bota data partition invalid(?:,| and).{1,60}|\bota_info partition size \d{1,8} is too small",
        example="W (95) boot: ota data partition invalid, falling back to factory",
        weight=Weight.NOTED,
        says=Remark(
            "The sectors that say which slot is the one to start are damaged, or of another firmware. "
            "Erased, they choose the first one.",
            (actions.erase(_OTA_DATA),),
        ),
    ),
    _loader(
        name="rtos-loader-notes",
        marks="initialize ota|partition data|partitions erased",
        form=(
            r"\bFail to initialize OTA0|\bFailed to update partition data|\bNot all partitions were erased"
        ),
        example="E (97) boot: Fail to initialize OTA0",
        weight=Weight.NOTED,
        says=Remark("Line {line} says '{text}': the boot loader could not note which slot is to be started."),
    ),
    _loader(
        name="loader-assert",
        marks="assert failed",
        form=r"\bAssert failed in (?P<detail>\S{1,80}, \S{1,100}:\d{1,6})(?: \([^)]{1,80}\))?",
        example="Assert failed in bootloader_main, bootloader_start.c:52 (rc)",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The boot loader of the RTOS SDK stopped itself: a check in it failed",
            "Something in the flash, or in the boot loader, is not as it must be.",
            (_SAFER_LOADER,),
        ),
        crash=True,
        source=_INIT,
    ),
)
