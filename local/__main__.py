"""The command line: ``store-monitoring``, or ``python -m local``."""

import signal
import sys

# Ctrl-C during the imports ends the program without a traceback, unless the parent ignores SIGINT.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from local.cli.command_line import main

if __name__ == "__main__":
    sys.exit(main())
