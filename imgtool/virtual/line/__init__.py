"""The line: what stands between a host and the chip: wire, port, servers, records and the report.

Nothing of what the chip does.

May import: chip, the port of device, the serial line of formats, errors.py.
"""
