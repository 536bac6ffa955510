"""imgtool: the firmware image workbench for the ESP8266 and ESP8285.

The commands as functions: each takes bytes or :class:`Piece` values, opens no files, prints nothing and
returns a frozen result.  Names are loaded when they are first used, so that importing the package costs next
to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imgtool.device.events import Event
    from imgtool.device.flash_chip import FlashChip
    from imgtool.device.identity import ChipIdentity
    from imgtool.device.port import PortInfo, Wire, list_ports, open_wire
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.errors import ChipError, FormatError, ImgtoolError, LayoutError, PortError, VerifyError
    from imgtool.formats.elf.symbols import ElfSymbols
    from imgtool.formats.filesystems.stored_files import FileSystem, StoredFile
    from imgtool.formats.logs.boots import (
        Boot,
        BootCause,
        BootMessage,
        BootMode,
        BootSegment,
        LoaderLines,
        RfCalSector,
    )
    from imgtool.formats.logs.crash import Allocation, Crash, StackWord
    from imgtool.formats.logs.garbled import Speeds
    from imgtool.formats.reading import (
        Checksum,
        FileKind,
        Finding,
        Firmware,
        Header,
        Part,
        PartKind,
        Reading,
        SegmentInfo,
        Severity,
    )
    from imgtool.formats.regions.init_data import Deviation
    from imgtool.formats.registry import identify
    from imgtool.operations.advise import advise
    from imgtool.operations.advise_old import old_flash
    from imgtool.operations.advise_side import OldFlash
    from imgtool.operations.advise_values import AdvicePoint, AdviceVerdict, FirmwareAdvice, Topic
    from imgtool.operations.boot_verdicts import Cure, Verdict
    from imgtool.operations.build import Built, BuiltFile, BuiltSegment, build
    from imgtool.operations.compare import compare
    from imgtool.operations.compare_values import (
        Compared,
        Comparison,
        DiffState,
        FieldChange,
        Pattern,
        RegionChange,
    )
    from imgtool.operations.crash_frames import Frame
    from imgtool.operations.describe import Description, describe
    from imgtool.operations.edits import Difference, Edit
    from imgtool.operations.encode import encode
    from imgtool.operations.explain import Explanation, explain
    from imgtool.operations.extract import ExtractedPart, Extraction, extract
    from imgtool.operations.extras import InitDataSource
    from imgtool.operations.filesystems import file_systems
    from imgtool.operations.flash_slots import ActiveSlot, Slot
    from imgtool.operations.flash_state import FlashState, LfsState
    from imgtool.operations.fullimage import Extras, FullImage, fullimage
    from imgtool.operations.manifest import Assembled, FileStretch, FillStretch, Manifest, Source, Wrapper
    from imgtool.operations.memory_use import MemoryUse, SectionUse
    from imgtool.operations.merge import HeaderChange, Merged, Piece, merge
    from imgtool.operations.patch import Changes, Patched, Write, patch
    from imgtool.operations.patch_table import TableChange
    from imgtool.operations.sdk_sectors import (
        InitDataState,
        RfCalState,
        StoredNetwork,
        SystemParamState,
        stored_networks,
    )
    from imgtool.operations.split import Split, split
    from imgtool.operations.to_elf import ElfOutput, to_elf
    from imgtool.operations.transfer import Job, Mismatch, Transfer, transfer
    from imgtool.operations.watch import Watch, WatchEvent, WatchLine, WatchNote, WatchSpeed, WatchText
    from imgtool.virtual.port import SimPort, open_port

__version__ = "0.1.0"

_HOMES: Final = {
    "imgtool.device.events": ("Event",),
    "imgtool.device.flash_chip": ("FlashChip",),
    "imgtool.device.identity": ("ChipIdentity",),
    "imgtool.device.port": ("PortInfo", "Wire", "list_ports", "open_wire"),
    "imgtool.device.session": ("ConnectOptions", "Session"),
    "imgtool.errors": (
        "ChipError",
        "FormatError",
        "ImgtoolError",
        "LayoutError",
        "PortError",
        "VerifyError",
    ),
    "imgtool.formats.registry": ("identify",),
    "imgtool.formats.logs.boots": (
        "Boot",
        "BootCause",
        "BootMessage",
        "BootMode",
        "BootSegment",
        "LoaderLines",
        "RfCalSector",
    ),
    "imgtool.formats.logs.crash": ("Allocation", "Crash", "StackWord"),
    "imgtool.formats.elf.symbols": ("ElfSymbols",),
    "imgtool.formats.logs.garbled": ("Speeds",),
    "imgtool.formats.regions.init_data": ("Deviation",),
    "imgtool.formats.reading": (
        "Checksum",
        "FileKind",
        "Finding",
        "Firmware",
        "Header",
        "Part",
        "PartKind",
        "Reading",
        "SegmentInfo",
        "Severity",
    ),
    "imgtool.formats.filesystems.stored_files": ("FileSystem", "StoredFile"),
    "imgtool.operations.advise": ("advise",),
    "imgtool.operations.advise_side": ("OldFlash",),
    "imgtool.operations.advise_old": ("old_flash",),
    "imgtool.operations.advise_values": ("AdvicePoint", "AdviceVerdict", "FirmwareAdvice", "Topic"),
    "imgtool.operations.boot_verdicts": ("Cure", "Verdict"),
    "imgtool.operations.build": ("Built", "BuiltFile", "BuiltSegment", "build"),
    "imgtool.operations.compare": ("compare",),
    "imgtool.operations.compare_values": (
        "Compared",
        "Comparison",
        "DiffState",
        "FieldChange",
        "Pattern",
        "RegionChange",
    ),
    "imgtool.operations.crash_frames": ("Frame",),
    "imgtool.operations.describe": ("Description", "describe"),
    "imgtool.operations.encode": ("encode",),
    "imgtool.operations.explain": ("Explanation", "explain"),
    "imgtool.operations.extract": ("ExtractedPart", "Extraction", "extract"),
    "imgtool.operations.extras": ("InitDataSource",),
    "imgtool.operations.filesystems": ("file_systems",),
    "imgtool.operations.flash_slots": ("ActiveSlot", "Slot"),
    "imgtool.operations.flash_state": ("FlashState", "LfsState"),
    "imgtool.operations.fullimage": ("Extras", "FullImage", "fullimage"),
    "imgtool.operations.manifest": (
        "Assembled",
        "FileStretch",
        "FillStretch",
        "Manifest",
        "Source",
        "Wrapper",
    ),
    "imgtool.operations.memory_use": ("MemoryUse", "SectionUse"),
    "imgtool.operations.merge": ("HeaderChange", "Merged", "Piece", "merge"),
    "imgtool.operations.edits": ("Difference", "Edit"),
    "imgtool.operations.patch": ("Changes", "Patched", "Write", "patch"),
    "imgtool.operations.patch_table": ("TableChange",),
    "imgtool.operations.sdk_sectors": (
        "InitDataState",
        "RfCalState",
        "StoredNetwork",
        "SystemParamState",
        "stored_networks",
    ),
    "imgtool.operations.split": ("Split", "split"),
    "imgtool.operations.to_elf": ("ElfOutput", "to_elf"),
    "imgtool.operations.transfer": ("Job", "Mismatch", "Transfer", "transfer"),
    "imgtool.operations.watch": (
        "Watch",
        "WatchEvent",
        "WatchLine",
        "WatchNote",
        "WatchSpeed",
        "WatchText",
    ),
    "imgtool.virtual.port": ("SimPort", "open_port"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ActiveSlot",
    "AdvicePoint",
    "AdviceVerdict",
    "Allocation",
    "Assembled",
    "Boot",
    "BootCause",
    "BootMessage",
    "BootMode",
    "BootSegment",
    "Built",
    "BuiltFile",
    "BuiltSegment",
    "Changes",
    "Checksum",
    "ChipError",
    "ChipIdentity",
    "Compared",
    "Comparison",
    "ConnectOptions",
    "Crash",
    "Cure",
    "Description",
    "Deviation",
    "DiffState",
    "Difference",
    "Edit",
    "ElfOutput",
    "ElfSymbols",
    "Event",
    "Explanation",
    "ExtractedPart",
    "Extraction",
    "Extras",
    "FieldChange",
    "FileKind",
    "FileStretch",
    "FileSystem",
    "FillStretch",
    "Finding",
    "Firmware",
    "FirmwareAdvice",
    "FlashChip",
    "FlashState",
    "FormatError",
    "Frame",
    "FullImage",
    "Header",
    "HeaderChange",
    "ImgtoolError",
    "InitDataSource",
    "InitDataState",
    "Job",
    "LayoutError",
    "LfsState",
    "LoaderLines",
    "Manifest",
    "MemoryUse",
    "Merged",
    "Mismatch",
    "OldFlash",
    "Part",
    "PartKind",
    "Patched",
    "Pattern",
    "Piece",
    "PortError",
    "PortInfo",
    "Reading",
    "RegionChange",
    "RfCalSector",
    "RfCalState",
    "SectionUse",
    "SegmentInfo",
    "Session",
    "Severity",
    "SimPort",
    "Slot",
    "Source",
    "Speeds",
    "Split",
    "StackWord",
    "StoredFile",
    "StoredNetwork",
    "SystemParamState",
    "TableChange",
    "Topic",
    "Transfer",
    "Verdict",
    "VerifyError",
    "Watch",
    "WatchEvent",
    "WatchLine",
    "WatchNote",
    "WatchSpeed",
    "WatchText",
    "Wire",
    "Wrapper",
    "Write",
    "__version__",
    "advise",
    "build",
    "compare",
    "describe",
    "encode",
    "explain",
    "extract",
    "file_systems",
    "fullimage",
    "identify",
    "list_ports",
    "merge",
    "old_flash",
    "open_port",
    "open_wire",
    "patch",
    "split",
    "stored_networks",
    "to_elf",
    "transfer",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type checker sees the imports above
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
