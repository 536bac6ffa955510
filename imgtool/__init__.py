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
    from imgtool.engine.boot_logs import explain
    from imgtool.engine.upgrades import advise
    from imgtool.engine.watching import Watch
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
    from imgtool.operations.actions import Action, Cure
    from imgtool.operations.advise.old_flash import old_flash
    from imgtool.operations.assemble.encode import encode
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.assemble.fullimage import Extras, FullImage, fullimage
    from imgtool.operations.assemble.merge import HeaderChange, Merged, Piece, merge
    from imgtool.operations.building.images import Built, BuiltFile, BuiltSegment, build
    from imgtool.operations.building.memory_use import MemoryUse, SectionUse
    from imgtool.operations.compare.files import compare
    from imgtool.operations.compare.values import (
        Compared,
        Comparison,
        DiffState,
        FieldChange,
        Pattern,
        RegionChange,
    )
    from imgtool.operations.explain.crash_frames import Frame
    from imgtool.operations.explain.log import Explanation
    from imgtool.operations.explain.values import Verdict
    from imgtool.operations.extract.manifest import (
        Assembled,
        FileStretch,
        FillStretch,
        Manifest,
        Source,
        Wrapper,
    )
    from imgtool.operations.extract.parts import ExtractedPart, Extraction, extract
    from imgtool.operations.extract.split import Split, split
    from imgtool.operations.extract.to_elf import ElfOutput, to_elf
    from imgtool.operations.flashing.transfer import Job, Mismatch, Transfer, transfer
    from imgtool.operations.inspect.describe import Description, describe
    from imgtool.operations.inspect.file_systems import file_systems
    from imgtool.operations.inspect.flash_slots import ActiveSlot, Slot
    from imgtool.operations.inspect.flash_state import FlashState, LfsState
    from imgtool.operations.inspect.sdk_sectors import (
        InitDataState,
        RfCalState,
        StoredNetwork,
        SystemParamState,
        stored_networks,
    )
    from imgtool.operations.patch.edits import Difference, Edit
    from imgtool.operations.patch.steps import Changes, Patched, Write, patch
    from imgtool.operations.patch.table import TableChange
    from imgtool.operations.upgrade.side import OldFlash
    from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, FirmwareAdvice, Topic
    from imgtool.operations.watching.stream import (
        WatchEvent,
        WatchLine,
        WatchNote,
        WatchSpeed,
        WatchText,
    )
    from imgtool.virtual.line.port import SimPort, open_port

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
    "imgtool.engine.boot_logs": ("explain",),
    "imgtool.engine.upgrades": ("advise",),
    "imgtool.engine.watching": ("Watch",),
    "imgtool.operations.actions": ("Action", "Cure"),
    "imgtool.operations.upgrade.side": ("OldFlash",),
    "imgtool.operations.advise.old_flash": ("old_flash",),
    "imgtool.operations.upgrade.values": ("AdvicePoint", "AdviceVerdict", "FirmwareAdvice", "Topic"),
    "imgtool.operations.explain.values": ("Verdict",),
    "imgtool.operations.building.images": ("Built", "BuiltFile", "BuiltSegment", "build"),
    "imgtool.operations.compare.files": ("compare",),
    "imgtool.operations.compare.values": (
        "Compared",
        "Comparison",
        "DiffState",
        "FieldChange",
        "Pattern",
        "RegionChange",
    ),
    "imgtool.operations.explain.crash_frames": ("Frame",),
    "imgtool.operations.inspect.describe": ("Description", "describe"),
    "imgtool.operations.assemble.encode": ("encode",),
    "imgtool.operations.explain.log": ("Explanation",),
    "imgtool.operations.extract.parts": ("ExtractedPart", "Extraction", "extract"),
    "imgtool.operations.assemble.extras": ("InitDataSource",),
    "imgtool.operations.inspect.file_systems": ("file_systems",),
    "imgtool.operations.inspect.flash_slots": ("ActiveSlot", "Slot"),
    "imgtool.operations.inspect.flash_state": ("FlashState", "LfsState"),
    "imgtool.operations.assemble.fullimage": ("Extras", "FullImage", "fullimage"),
    "imgtool.operations.extract.manifest": (
        "Assembled",
        "FileStretch",
        "FillStretch",
        "Manifest",
        "Source",
        "Wrapper",
    ),
    "imgtool.operations.building.memory_use": ("MemoryUse", "SectionUse"),
    "imgtool.operations.assemble.merge": ("HeaderChange", "Merged", "Piece", "merge"),
    "imgtool.operations.patch.edits": ("Difference", "Edit"),
    "imgtool.operations.patch.steps": ("Changes", "Patched", "Write", "patch"),
    "imgtool.operations.patch.table": ("TableChange",),
    "imgtool.operations.inspect.sdk_sectors": (
        "InitDataState",
        "RfCalState",
        "StoredNetwork",
        "SystemParamState",
        "stored_networks",
    ),
    "imgtool.operations.extract.split": ("Split", "split"),
    "imgtool.operations.extract.to_elf": ("ElfOutput", "to_elf"),
    "imgtool.operations.flashing.transfer": ("Job", "Mismatch", "Transfer", "transfer"),
    "imgtool.operations.watching.stream": (
        "WatchEvent",
        "WatchLine",
        "WatchNote",
        "WatchSpeed",
        "WatchText",
    ),
    "imgtool.virtual.line.port": ("SimPort", "open_port"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Action",
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
