"""Functions of the boot ROM of the project's own writing, for a virtual board without a dump of the ROM.

No code of the ROM's is here.  What each function does is known from its published name and from what the
real one was seen to do; a session that has a dump holds the two to each other.  A function that is not here
ends a run with its name and address.

May import: its parent's chip and cpu, formats, chip.py.
"""
