"""Command line: ``python -m local run`` and ``python -m local serve``."""

import signal
import sys

# Ctrl-C during the imports ends the program without a traceback, unless the parent ignores SIGINT.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from local.cli.command_line import main  # this takes a second or two

if __name__ == "__main__":
    sys.exit(main())
