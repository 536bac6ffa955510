"""Talking to a chip over a serial line: framing so far.

Not files, not image formats, not printing.  What crosses the line is described in docs/virtual/index.md.
"""
