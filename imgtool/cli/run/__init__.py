"""Run: what commands do while a chip is there: connecting, many boards at once, the loop of the monitor.

No options of one command alone.

May import: input, show, and the layers below cli.
"""
