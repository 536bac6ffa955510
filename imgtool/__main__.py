"""``python -m imgtool``: the command line."""

from imgtool.cli.app import main

main()
