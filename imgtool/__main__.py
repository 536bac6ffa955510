"""``python -m imgtool``: the command line."""

from imgtool.cli import main

main()
