"""Formats: bytes to frozen values and back, one file a format; the registry tells which one a file is.

Nothing here opens files or prints, and nothing knows a flash layout or a chip on a line.  construct, bincopy,
pyelftools and littlefs-python live here and nowhere else.

May import: chip.py, quantities.py, errors.py.
"""
