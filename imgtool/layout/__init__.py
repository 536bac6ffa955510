"""Layout: where things lie in a flash, by generation and size; the rules of fit; what a first boot does.

No parsing (formats), and no look at a flash (operations).

May import: formats, chip.py, quantities.py, errors.py.
"""
