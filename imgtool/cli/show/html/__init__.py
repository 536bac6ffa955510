"""The page of ``inspect --html``: the same results as one HTML file.

No script and no network in it.

May import: show, and the layers below cli.
"""
