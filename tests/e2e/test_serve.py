"""`python -m local serve`, which `make serve` calls."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from local.cli.terminal import INTERRUPTED
from local.emulator.settings import HOST
from tests.e2e.conftest import PATIENCE_SECONDS, until
from tests.timing import is_met

_ROOT = Path(__file__).parents[2]
_POLLS = "store_id,status,timestamp_utc\na,active,2024-10-14 22:25:00 UTC\n"
# Prints each response, then its status.
_CURL = "curl() { command curl -sS -w '\\n%{http_code}' \"$@\"; }\n"


@contextmanager
def serving(
    *arguments: str, **variables: str
) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """Start it; once it has printed its help, yield its process and its output."""
    with subprocess.Popen(
        [sys.executable, "-m", "local", "serve", "--port=0", *arguments],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT / "layers" / "core"), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        try:
            assert program.stdout is not None
            printed: list[str] = []
            while "Upload polls:" not in printed[-3:]:
                line = program.stdout.readline()
                assert line, program.stderr.read() if program.stderr else ""
                printed.append(line.rstrip("\n"))
            printed += [program.stdout.readline().rstrip("\n") for _ in range(2)]
            yield program, printed
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)


def commands(printed: list[str]) -> list[str]:
    return [line.strip() for line in printed if line.startswith("  ")]


def test_every_printed_command_works_until_the_server_ends_and_the_key_is_in_no_list_of_processes(
    tmp_path: Path,
) -> None:
    data, elsewhere = tmp_path / "it's data", tmp_path / "elsewhere"
    data.mkdir()
    elsewhere.mkdir()
    (data / "store status.csv").write_text(_POLLS)
    secret = uuid4().hex
    with serving("--data", str(data), API_KEY=f"it's {secret}") as (program, printed):
        listed = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
        assert not [each for each in listed if secret.encode() in each]
        assert not [line for line in printed if secret in line]
        assert len(commands(printed)) == 7
        check_commands(printed, elsewhere)
        assert (elsewhere / "report.csv").read_text().startswith("store_id,uptime_last_hour")
        server, *_ = children(supervisor_of(program))  # and orphans
        os.kill(server, signal.SIGKILL)
        _, errors = program.communicate(timeout=PATIENCE_SECONDS)
    assert program.returncode == 1
    assert re.fullmatch("error: .+\n", errors)


def check_commands(printed: list[str], folder: Path) -> None:
    """Check that each printed command works at once, and again."""
    lines = commands(printed)
    for line in [*lines, *reversed(lines)]:
        done = subprocess.run(
            ["bash", "-c", _CURL + line],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        if line.startswith("grep"):
            assert done.returncode == 0
        else:
            assert re.fullmatch("20[0-9]", done.stdout.splitlines()[-1]), (line, done.stdout)


def test_without_a_key_every_command_works_and_ctrl_c_ends_it_within_two_seconds(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "kept"
    with serving("--state", str(kept), API_KEY="") as (program, printed):
        assert len(commands(printed)) == 4
        check_commands(printed, tmp_path)
        took_seconds = interrupt(program)
    assert took_seconds <= 2 or is_met(2, partial(interrupted_after_seconds, kept))
    assert any(path.is_file() for path in kept.iterdir())


def interrupted_after_seconds(kept: Path) -> float:
    """Interrupt a server that has just started; return how long it takes to end."""
    with serving("--state", str(kept), API_KEY="") as (program, _):
        return interrupt(program)


def interrupt(program: "subprocess.Popen[str]") -> float:
    """Press Ctrl-C; return how long the program takes to end."""
    supervisor = supervisor_of(program)
    began = time.monotonic()
    os.killpg(program.pid, signal.SIGINT)
    _, errors = program.communicate(timeout=PATIENCE_SECONDS)
    took_seconds = time.monotonic() - began
    assert program.returncode in (0, INTERRUPTED)
    assert errors == ""
    until(lambda: None if Path(f"/proc/{supervisor}").exists() else True)
    return took_seconds


@pytest.mark.parametrize("offset", [0, 1])
def test_a_port_in_use_is_reported_as_it_was_given(offset: int) -> None:
    port = two_free_ports()
    with socket.create_server((HOST, port + offset)):
        done = refused(port)
    assert re.fullmatch(rf"error: .*\b{port}\b.*\b{port + offset}\b.*\n", done.stderr)


def test_an_invalid_port_is_refused() -> None:
    assert re.fullmatch(r"error: .*\b65535\b.*\b65534\b.*\n", refused(65_535).stderr)


def two_free_ports() -> int:
    """Return a free port followed by a free one, below those that the kernel gives others."""
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    while True:
        port = random.randrange(1024, int(first) - 1)
        with (
            suppress(OSError),
            socket.create_server((HOST, port)),
            socket.create_server((HOST, port + 1)),
        ):
            return port


def refused(port: int) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "local", "serve", f"--port={port}"],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT / "layers" / "core")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done


def supervisor_of(program: "subprocess.Popen[str]") -> int:
    """Return the supervisor of a program's only cloud."""
    [launcher] = children(program.pid)
    [supervisor] = children(launcher)
    return supervisor


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in listed.read_text().split()]
