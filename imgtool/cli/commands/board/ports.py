"""``imgtool ports``: the serial ports that are there, and why one cannot be opened.

Also the cures for ports that cannot be opened, which every command that opens one shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer

from imgtool.cli.input.arguments import JsonOption
from imgtool.errors import PortError
from imgtool.phrase import Name

if TYPE_CHECKING:
    from imgtool.device.port import PortInfo

__all__ = ["cure_of", "ports"]

_NONE_THERE: Final = "no serial port is there"
_NONE_LIKELY: Final = "none of them is a USB serial adapter that imgtool knows"

# Groups that give more than serial ports: nobody should join one for that.
_MIGHTY: Final = ("root", "wheel", "sudo", "admin", "adm")

_PLUG_IN: Final = "plug the board in with a cable that has data lines, and install the driver of its adapter"

_CURES: Final = {
    "missing": f"imgtool ports shows what is there; {_PLUG_IN}",
    "not-a-port": "imgtool ports shows the names of ports",
    "refused": "start the server at that address, or mend the address",
    "several": "choose one with --port",
    "lost": "plug it in again, directly or by another cable, and run the command again",
    "other": "unplug it and plug it in again; imgtool ports shows what is there",
}


def ports(json: JsonOption = False) -> int:
    """List the serial ports: adapter, USB id, driver, and why one cannot be opened.

    Example: imgtool ports
    """
    from imgtool.device.port import list_ports

    found = list_ports()
    if json:
        from imgtool.cli.show.documents import document

        warnings = [] if any(port.likely for port in found) else [_NONE_LIKELY if found else _NONE_THERE]
        typer.echo(document("ports", ok=bool(found), results=map(_fields, found), warnings=warnings))
    else:
        _show(found)
    return 0 if found else 1


def cure_of(error: PortError) -> str | None:
    """What to do about a port that cannot be used, None where nothing is known about it."""
    facts: dict[str, Any] = dict(error.data)
    reason = facts.get("reason")
    if reason == "permission":
        return _permission(facts)
    if reason == "busy":
        return _busy(facts)
    if reason == "missing" and facts.get("suspect"):
        return (
            f"{facts['suspect']} is running, which takes some adapters for Braille displays: remove it (on"
            f" Debian and Ubuntu: sudo apt remove {facts['suspect']}), then plug the board in again"
        )
    if reason == "lost" and "pid" in facts:
        return f"end {facts['program']} (pid {facts['pid']}), and run the command again"
    return _CURES.get(str(reason))


def _permission(facts: dict[str, Any]) -> str:
    group = facts.get("group")
    if group is None or group in _MIGHTY or facts.get("in_session"):
        return "give your user access to it by a udev rule; sudo chmod a+rw PORT holds until it is unplugged"
    if facts.get("member"):
        return f"log out and in again: group {group} counts from the next login on"
    return f"sudo usermod -aG {group} $USER, then log out and in again"


def _busy(facts: dict[str, Any]) -> str:
    name = facts.get("program") or facts.get("suspect")
    if name == "ModemManager":
        return "wait half a minute, or stop it: sudo systemctl stop ModemManager"
    if name:
        return f"end {name} (pid {facts['pid']}), or choose another port"
    return "close the serial monitor or other program that has it open, or choose another port"


def _fields(port: PortInfo) -> dict[str, Any]:
    failure = port.failure
    problem = None
    if failure is not None:
        facts = {name: value for name, value in failure.data.items() if name != "source"}
        problem = {"message": failure.message, "hint": cure_of(failure), **facts}
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


def _show(found: tuple[PortInfo, ...]) -> None:
    from imgtool.cli.show import text
    from imgtool.cli.show.text import Span

    screen = text.stdout()
    if not found:
        screen.paragraph(f"{_NONE_THERE}.")
        screen.paragraph(_PLUG_IN, lead=[Span("  cure  ", "bold")])
        return
    rows = [
        (
            Span(Name(port.path), "bold" if port.likely else ""),
            port.adapter or _clipped(port.product) or ("unknown" if port.vid is not None else "not USB"),
            "" if port.vid is None or port.pid is None else f"{port.vid:04x}:{port.pid:04x}",
            port.driver or "",
        )
        for port in found
    ]
    screen.table(rows, head=("port", "adapter", "USB id", "driver"))
    for port in found:
        if port.failure is not None:
            screen.line()
            lead = [Span(f"{port.path}  ", "bold")]
            screen.paragraph(f"cannot be opened: {port.problem}", lead=lead)
            screen.paragraph(cure_of(port.failure) or "", lead=[Span("  cure  ", "bold")])
    if not any(port.likely for port in found):
        screen.line()
        screen.paragraph(_NONE_LIKELY, lead=[Span("  note  ", "dim")])


_PRODUCT_WIDTH: Final = 24


def _clipped(product: str | None) -> str:
    if product is None or len(product) <= _PRODUCT_WIDTH:
        return product or ""
    return product[: _PRODUCT_WIDTH - 3] + "..."
