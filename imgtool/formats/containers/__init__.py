"""Containers: files that carry an image or flash contents packed or addressed; and text that is none.

Not what they hold: the registry has that read in its turn.

May import: images, and the shared modules of formats.
"""
