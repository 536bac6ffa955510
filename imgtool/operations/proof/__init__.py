"""Proof: what only a chip can tell about imgtool's own flasher stub, observed on one and kept as values.

No part of a usual write.

May import: device, chip.py, errors.py.
"""
