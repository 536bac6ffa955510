"""Containers: files that carry an image or flash contents packed or addressed; and text that is none.

What they hold is read by the registry in its turn.  May import: the shared modules of formats, and images.
"""
