"""Where the process starts, as ``imgtool`` and as ``python -m imgtool``: from here on Ctrl-C is understood.

Not the command line (imgtool.cli.app), whose import takes most of the time of a short run.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process."""
    try:
        from imgtool.cli.run import signals  # noqa: PLC0415 - an import can be interrupted

        signals.end_at_once()
        from imgtool.cli import app  # noqa: PLC0415 - likewise
    except KeyboardInterrupt:
        # Before there was a handler.
        raise SystemExit(130) from None
    app.main()


if __name__ == "__main__":
    main()
