"""Measuring fairly on a machine that is shared with others."""

import os
import runpy
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

_AS_IN_LAMBDA = Path(__file__).resolve().parent.parent / (
    "local/emulator/as_in_lambda/sitecustomize.py"
)


def use_one_core() -> None:
    """Run this process, and all its threads, on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def import_as_in_lambda() -> None:
    """Hide packages that handlers do not have: pyarrow would import pandas."""
    runpy.run_path(str(_AS_IN_LAMBDA))


def cpu_seconds(call: Callable[[], Any]) -> float:
    """Return the processor time of a call, of all threads; load of other processes is not in it."""
    began = time.process_time()
    call()
    return time.process_time() - began


def peak_mb(process: str = "self") -> float:
    """Return the peak memory of this process or another one.

    `getrusage` would include the memory of the program that forked this one.
    """
    status = Path("/proc", process, "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def medians(calls: Mapping[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Return each call's median of CPU seconds; they take turns, after one turn to warm up."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(1 + runs):
        for name, call in calls.items():
            took[name].append(cpu_seconds(call))
    return {name: statistics.median(seconds[1:]) for name, seconds in took.items()}


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """What a function's execution environments in a local cloud used so far.

    Attributes
    ----------
    environments : int
    cpu_seconds : float
        Of all of them, their start included.
    peak_mb : float
        Of the largest.
    """

    environments: int
    cpu_seconds: float
    peak_mb: float


def function_uses(state: Path) -> dict[str, FunctionUse]:
    """Return what each function of a local cloud used, by its name; `state` is the cloud's.

    A handler's process may be forked: only its process group says which function it belongs to.
    """
    names: dict[int, str] = {}  # by process group
    members: dict[int, list[Path]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            group = os.getpgid(int(folder.name))
            members[group].append(folder)
            environment = (folder / "environ").read_bytes().decode(errors="replace")
            variables = dict(each.partition("=")[::2] for each in environment.split("\0"))
            leads_group = group == int(folder.name)
            if leads_group and variables.get("TMPDIR", "").startswith(f"{state}/"):
                names[group] = variables["AWS_LAMBDA_FUNCTION_NAME"]
    uses = {}
    for name in names.values():
        groups = [group for group in names if names[group] == name]
        processes = [folder for group in groups for folder in members[group]]
        uses[name] = FunctionUse(
            len(groups),
            sum(_cpu_seconds(folder) for folder in processes),
            max(peak_mb(folder.name) for folder in processes),
        )
    return uses


def _cpu_seconds(folder: Path) -> float:
    user, system = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
