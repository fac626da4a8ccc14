"""Makes Ctrl-C end the program promptly, whatever it is doing."""

import os
import signal
import socket
import threading
import time
from typing import NoReturn

from local.cli.terminal import console

INTERRUPTED = 128 + signal.SIGINT
_GRACE_SECONDS = 1.25


def end_soon_after_interrupt() -> None:
    """Let Ctrl-C raise `KeyboardInterrupt`; end the program if it still runs shortly after.

    The main thread handles a signal only between two bytecode instructions. It may be waiting for a
    response at that moment, and the signal may have reached another thread.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    received, sent = socket.socketpair()
    sent.setblocking(False)
    signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
    # The thread keeps the second socket open.
    threading.Thread(target=_watch, args=(received, sent), daemon=True).start()


def _watch(received: socket.socket, _sent: socket.socket) -> None:
    while received.recv(1)[0] != signal.SIGINT:
        pass
    time.sleep(_GRACE_SECONDS)
    end_at_once()


def end_at_once() -> NoReturn:
    """End this program without waiting for its threads; the local cloud ends with it."""
    console.show_cursor()
    os._exit(INTERRUPTED)
