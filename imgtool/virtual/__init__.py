"""A virtual ESP8266: a chip that hosts can flash, verify, read and boot where there is none.

Not a measurement of real hardware, and not a whole chip: docs/virtual/index.md says what is emulated, what is
not, and what nobody has confirmed on silicon.

May import: layout, device, formats, chip.py, flash_parts.py, quantities.py, errors.py.
"""
