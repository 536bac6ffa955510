"""Device: talking to a chip over a serial line: ports, resets, frames, commands, stubs, sessions.

No files, no image formats, no printing.  What crosses the line is described in docs/virtual/index.md.

May import: chip.py, flash_parts.py, quantities.py, errors.py.
"""
