"""imgtool: the firmware image workbench for the ESP8266 and ESP8285.

The public API is the jobs of the commands: a request goes in, events go to a listener, a result comes out.
No file and no port is opened by its own, and nothing is printed.  docs/python-api.md describes the names.

Each name stands once, in the imports of ``__init__.pyi``, which type checkers read.  Here a name is found by
that very file when it is first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

TYPE_CHECKING = False  # typing itself would be most of the time that this import takes
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"


@cache
def _homes() -> dict[str, str]:
    """The module of each public name: of each line ``from HOME import NAME as NAME``."""
    from pkgutil import get_data  # noqa: PLC0415 - who starts the command line needs none of the names

    lines = (get_data(__name__, "__init__.pyi") or b"").decode().splitlines()
    imports = (line.split() for line in lines if line.startswith("from "))
    return {name: home for _, home, _, _, _, name in imports}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type checker sees the imports
    if name == "__all__":
        return sorted(["__version__", *_homes()])
    home = _homes().get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return list(__getattr__("__all__"))
