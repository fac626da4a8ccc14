"""Ctrl-C ends a program even if its main thread is waiting."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from local.cli.terminal import INTERRUPTED
from tests.timing import is_met

_ROOT = Path(__file__).parents[2]
# The main thread gets no signal; another thread does. If it notices before it sleeps, it goes on.
_PROGRAM = """
import signal, threading, time
from local.cli.terminal import end_soon_after_interrupt

end_soon_after_interrupt()
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    print("ready", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    time.sleep(600)
"""

_FINALIZER = """
import signal, time
from local.cli.terminal import end_soon_after_interrupt

class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

end_soon_after_interrupt()
Interrupted()
time.sleep(600)
"""


def ended_after_seconds() -> float:
    """Interrupt the program; return how long it takes to end."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        began = time.monotonic()
        os.kill(program.pid, signal.SIGINT)
        assert program.wait(timeout=600) == INTERRUPTED
    return time.monotonic() - began


def test_a_waiting_main_thread_is_ended_within_two_seconds() -> None:
    assert is_met(2, ended_after_seconds)


def test_an_interrupt_in_a_finalizer_ends_the_program_without_a_traceback() -> None:
    command = [sys.executable, "-c", _FINALIZER]
    program = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert (program.returncode, program.stderr) == (INTERRUPTED, "")
