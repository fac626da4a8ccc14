"""The terminal: text is printed literally, and Ctrl-C ends the program promptly."""

import os
import signal
import socket
import sys
import threading
import time
from typing import NoReturn

from rich.console import Console
from rich.table import Table

INTERRUPTED = 128 + signal.SIGINT
_GRACE_SECONDS = 1.25
_WIDTH_OF_A_PIPE = 200

# Without markup and emoji: ids may look like either.
console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def printable(value: str) -> str:
    r"""Escape a value from data, such as an id, so that it cannot control the terminal.

    >>> printable("[red]\x1b[2J")
    '[red]\\x1b[2J'
    """
    return "".join(each if each.isprintable() else _escaped(each) for each in value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def show(table: Table) -> None:
    """Print a table, and all of its text; if it is not to a terminal, as wide as its content."""
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_PIPE
    console.print(table)


def end_soon_after_interrupt() -> None:
    """Let Ctrl-C raise `KeyboardInterrupt`; end the program if it still runs shortly after.

    The main thread handles a signal only between two bytecode instructions. It may be waiting for a
    response at that moment, and the signal may have reached another thread. In a finalizer, Python
    ignores the exception.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = _report_unless_interrupt
    received, sent = socket.socketpair()
    sent.setblocking(False)
    signal.set_wakeup_fd(sent.fileno(), warn_on_full_buffer=False)
    # The thread keeps the second socket open.
    threading.Thread(target=_watch, args=(received, sent), daemon=True).start()


def _report_unless_interrupt(ignored: "sys.UnraisableHookArgs") -> None:
    if ignored.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(ignored)


def _watch(received: socket.socket, _sent: socket.socket) -> None:
    while received.recv(1)[0] != signal.SIGINT:
        pass
    time.sleep(_GRACE_SECONDS)
    end_at_once()


def end_at_once() -> NoReturn:
    """End this program without waiting for its threads; the local cloud ends with it."""
    console.show_cursor()
    os._exit(INTERRUPTED)
