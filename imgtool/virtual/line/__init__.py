"""The line: what stands between a host and the chip: wire, port, servers, records and the report.

What the chip does is none of its business.  May import: chip, device's port, formats' serial line, errors.py.
"""
