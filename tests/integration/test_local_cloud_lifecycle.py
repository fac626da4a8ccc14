"""The local cloud reports a failed start, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.emulator.cloud import LocalCloud, LocalCloudError

TEMPLATE = Path(__file__).parent / "fixtures" / "local_cloud" / "template.yaml"
ROOT = Path(__file__).parents[2]

# Starts a cloud, runs a handler in it, and prints its processes and files.
PROGRAM = """
import json, sys
from pathlib import Path
from local.emulator.cloud import LocalCloud

cloud = LocalCloud(Path(sys.argv[1]))
invoke = cloud.client("lambda").invoke
busy = {"do": "sleep", "seconds": 0.9}
pid = json.load(invoke(FunctionName="local-MisbehaveFunction", Payload=b"{}")["Payload"])["pid"]
found = json.load(invoke(FunctionName="local-DescribeFunction", Payload=b"{}")["Payload"])
invoke(
    FunctionName="local-MisbehaveFunction", Payload=json.dumps(busy), InvocationType="Event"
)
print(json.dumps({"pids": [pid, found["pid"]], "folder": found["temporary_folder"]}), flush=True)
sys.stdin.read()
"""


def eventually(look: Callable[[], bool], seconds: float = 600) -> None:
    """Poll until it is true."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def ancestors(pid: int) -> list[int]:
    """Return a handler's process, its emulator, the server and the supervisor."""
    family = [pid]
    for _ in range(3):
        stat = Path(f"/proc/{family[-1]}/stat").read_text()
        family.append(int(stat.rpartition(")")[2].split()[1]))
    return family


def test_nothing_is_left_when_the_program_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(TEMPLATE)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        found = json.loads(program.stdout.readline())
        family = {member for pid in found["pids"] for member in ancestors(pid)}
        state = Path(found["folder"]).parent
        assert len(family) == 6
        assert all(is_running(pid) for pid in family)
        assert state.name.startswith("local-cloud-")
        program.kill()

    eventually(lambda: not any(is_running(pid) for pid in family))
    eventually(lambda: not state.exists())


def describe(cloud: LocalCloud) -> tuple[list[int], Path]:
    """Run a handler; return its process, its ancestors and the cloud's folder."""
    response = cloud.client("lambda").invoke(FunctionName="local-DescribeFunction", Payload=b"{}")
    found = json.load(response["Payload"])
    return ancestors(found["pid"]), Path(found["temporary_folder"]).parent


def test_nothing_is_left_when_it_is_closed() -> None:
    with LocalCloud(TEMPLATE) as cloud:
        family, state = describe(cloud)
    cloud.close()

    assert not any(is_running(pid) for pid in family)
    assert not state.exists()


def test_nothing_is_left_when_its_server_is_killed() -> None:
    with LocalCloud(TEMPLATE) as cloud:
        family, state = describe(cloud)
        _handler, _emulator, server, _supervisor = family
        os.kill(server, signal.SIGKILL)
        eventually(lambda: not any(is_running(pid) for pid in family))

    assert not state.exists()


def test_a_failed_start_reports_the_cause(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Resources: {}")

    with pytest.raises(LocalCloudError, match="NoSuch") as failure:
        LocalCloud(template, {"NoSuch": "1"})

    assert "Traceback" not in str(failure.value)
