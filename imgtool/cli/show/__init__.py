"""Show: results for people on a terminal: text, tables, maps, progress.

Nothing is computed or decided here: what is said comes from the results.

May import: the layers below cli.
"""
