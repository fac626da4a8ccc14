"""Command line: ``python -m local run`` and ``python -m local serve``."""

import signal
import sys

# Ctrl-C while all is imported ends this, and says nothing; a program may have turned it off.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from local.cli.command_line import main  # it takes a second or two

if __name__ == "__main__":
    sys.exit(main())
