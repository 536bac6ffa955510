"""The board: what firmware's own code runs on, from the boot ROM's reset vector on.

The ROM is the user's: no byte of it is here.  No line to a host; radio and ADC are silent.

May import: chip, cpu, errors.py.
"""
