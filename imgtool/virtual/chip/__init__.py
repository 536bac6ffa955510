"""The chip: clock, memory map, flash, SPI and UART registers, ROM functions, serial loader, boots, faults.

No line to a host and no port: bytes and times come in.

May import: cpu, the framing of device, layout, formats, chip.py, flash_parts.py, errors.py.
"""
