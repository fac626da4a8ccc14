"""Ctrl-C ends a program even if its main thread is waiting."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from local.cli.terminal import INTERRUPTED

_ROOT = Path(__file__).parents[2]
# The main thread gets no signal; another thread does. If it notices before it sleeps, it goes on.
_PROGRAM = """
import signal, threading, time
from local.cli.terminal import end_soon_after_interrupt

end_soon_after_interrupt()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(60)
"""


def test_a_waiting_main_thread_is_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        began = time.monotonic()
        os.kill(program.pid, signal.SIGINT)
        assert program.wait(timeout=30) == INTERRUPTED
    assert time.monotonic() - began < 2
