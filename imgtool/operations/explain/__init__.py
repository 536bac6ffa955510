"""Explain: what a boot log comes to: rules on boots, crashes and noise, each with its verdict and its cures.

No reading of logs (formats/logs).

May import: formats, chip.py.
"""
