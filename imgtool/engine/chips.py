"""Ports, chips and flashes that were found, as words and as JSON.

Not the finding (imgtool.device).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgtool.engine.hints import cure_of_port
from imgtool.flash_parts import FLASH_PARTS
from imgtool.quantities import capacity

if TYPE_CHECKING:
    from imgtool.device.flash_chip import FlashChip
    from imgtool.device.host_ports import PortInfo
    from imgtool.device.session import Session

__all__ = [
    "chip_fields",
    "flash_fields",
    "flash_words",
    "known_fields",
    "known_rows",
    "port_fields",
    "work_fields",
]


def port_fields(port: PortInfo) -> dict[str, Any]:
    """A port, and why it cannot be opened, for JSON."""
    failure = port.failure
    problem = None
    if failure is not None:
        facts = {name: value for name, value in failure.data.items() if name != "source"}
        problem = {"message": failure.message, "hint": cure_of_port(failure), **facts}
    return {
        "path": port.path,
        "adapter": port.adapter,
        "driver": port.driver,
        "vid": port.vid,
        "pid": port.pid,
        "serial_number": port.serial_number,
        "product": port.product,
        "likely": port.likely,
        "problem": problem,
    }


def chip_fields(session: Session) -> dict[str, Any]:
    """Port, chip, flash and the way to them, for JSON."""
    chip = session.chip
    return {
        "port": session.wire.name,
        "chip": {
            "model": chip.model,
            "mac": chip.mac,
            "chip_id": chip.chip_id,
            "crystal_mhz": chip.crystal_mhz,
            "embedded_bytes": chip.embedded_bytes,
        },
        "flash": flash_fields(session.flash),
    }


def flash_fields(flash: FlashChip) -> dict[str, Any]:
    """The flash, for JSON."""
    return {
        "id": flash.id.hex(),
        "manufacturer": flash.manufacturer,
        "part": flash.part,
        "bytes": flash.bytes,
        "sfdp_bytes": flash.sfdp_bytes,
        "source": flash.source,
    }


def flash_words(session: Session) -> str:
    """The flash on one line."""
    flash = session.flash
    name = " ".join(word for word in (flash.manufacturer or "unknown flash", flash.part) if word)
    return f"{name} ({flash.id[:1].hex()} {flash.id[1:].hex()}), {capacity(flash.bytes)}"


def work_fields(session: Session) -> dict[str, Any]:
    """What is there, and by which stub and at which speed it is worked with, for JSON."""
    return {**chip_fields(session), "stub": session.flasher.name, "baud": session.baud}


def _capacity_words(flash: FlashChip) -> str:
    if flash.bytes is None:
        return "not known: neither the ID nor SFDP tells"
    by_id = type(flash)(flash.id).bytes
    how = "its ID" if flash.sfdp_bytes is None else "SFDP"
    if flash.sfdp_bytes is not None and flash.sfdp_bytes == by_id:
        how = "its ID and SFDP"
    code = flash.id[2]
    power = f", 2^{code} bytes" if flash.sfdp_bytes is None and flash.bytes == 1 << code else ""
    return f"{capacity(flash.bytes)} ({flash.bytes:,} bytes), by {how}{power}"


def known_rows(flash: FlashChip) -> list[tuple[str, str]]:
    """What is known of a flash, a row for each thing."""
    code = f"0x{flash.id[0]:02x}"
    part = next((part for part in FLASH_PARTS if part.id == flash.id), None)
    rows = [
        ("flash ID", f"{flash.id[:1].hex()} {flash.id[1:].hex()}"),
        ("manufacturer", f"{flash.manufacturer or 'not known'}, code {code}"),
        ("part", "not in imgtool's table" if part is None else part.name),
        ("capacity", _capacity_words(flash)),
    ]
    by_id = type(flash)(flash.id).bytes
    if flash.sfdp_bytes is not None and by_id is not None and by_id != flash.sfdp_bytes:
        rows.append(("contradiction", f"the ID says {by_id:,} bytes; SFDP counts"))
    return rows


def known_fields(flash: FlashChip) -> dict[str, Any]:
    """A flash, and where its part is known from, for JSON."""
    cite = next((part.cite for part in FLASH_PARTS if part.id == flash.id), None)
    return {**flash_fields(flash), "cite": cite}
