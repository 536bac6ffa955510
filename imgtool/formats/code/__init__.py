"""Machine code of the lx106: its instructions, and where the values in a function come from.

Not what an instruction computes (virtual.cpu), nor how code looks from afar (lx106).

May import: nothing else of imgtool.
"""
