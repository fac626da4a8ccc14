"""Ctrl-C ends a program soon, whatever it does at that moment."""

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
    """Let Ctrl-C raise `KeyboardInterrupt`, and end this program if it is still there a bit later.

    The main thread notices a signal only between two steps of Python. It may wait for an answer at
    that moment, and the signal may have reached another thread.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    received, sent = socket.socketpair()
    sent.setblocking(False)
    signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
    # The second socket lives as long as the thread does.
    threading.Thread(target=_watch, args=(received, sent), daemon=True).start()


def _watch(received: socket.socket, _sent: socket.socket) -> None:
    while received.recv(1)[0] != signal.SIGINT:
        pass
    time.sleep(_GRACE_SECONDS)
    end_at_once()


def end_at_once() -> NoReturn:
    """End this program, and wait for none of its threads; the cloud ends with it."""
    console.show_cursor()
    os._exit(INTERRUPTED)
