"""Explain: what a boot log comes to: rules on boots, crashes and noise, each with its verdict and its cures.

The logs are read in :mod:`imgtool.formats.logs`.  May import: formats, chip.py.
"""
