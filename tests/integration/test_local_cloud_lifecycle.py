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
pid = json.load(invoke(FunctionName="local-MisbehaveFunction", Payload=b"{}")["Payload"])["pid"]
found = json.load(invoke(FunctionName="local-DescribeFunction", Payload=b"{}")["Payload"])
busy = {"do": "meet", "folder": found["temporary_folder"], "count": 99}
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


def stat(pid: int) -> list[str]:
    """Return the fields of a process after its name: state, parent, group, session and others."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["Z", *4 * [""]]


def is_running(pid: int) -> bool:
    return stat(pid)[0] != "Z"


def cloud_of(handler: int) -> set[int]:
    """Return all processes of the cloud that runs a handler: they share a session."""
    session = stat(handler)[3]
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return {pid for pid in pids if stat(pid)[3] == session}


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
        processes = cloud_of(found["pids"][0])
        state = Path(found["folder"]).parent
        assert processes.issuperset(found["pids"])
        # Besides two handlers, the programs that stand for them and their emulators.
        assert len(processes) == len(["supervisor", "server", "fork server"]) + 2 * 3
        assert state.name.startswith("local-cloud-")
        program.kill()

    eventually(lambda: not any(is_running(pid) for pid in processes))
    eventually(lambda: not state.exists())


def describe(cloud: LocalCloud) -> tuple[set[int], Path]:
    """Run a handler; return the cloud's processes and folder."""
    response = cloud.client("lambda").invoke(FunctionName="local-DescribeFunction", Payload=b"{}")
    found = json.load(response["Payload"])
    return cloud_of(found["pid"]), Path(found["temporary_folder"]).parent


def test_nothing_is_left_when_it_is_closed() -> None:
    with LocalCloud(TEMPLATE) as cloud:
        processes, state = describe(cloud)
    cloud.close()

    assert not state.exists()
    # The supervisor ends last.
    eventually(lambda: not any(is_running(pid) for pid in processes))


def test_nothing_is_left_when_its_server_is_killed() -> None:
    with LocalCloud(TEMPLATE) as cloud:
        processes, state = describe(cloud)
        assert cloud.pid in processes
        os.kill(cloud.pid, signal.SIGKILL)
        eventually(lambda: not any(is_running(pid) for pid in processes))

    assert not state.exists()


def test_a_failed_start_reports_the_cause(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Resources: {}")

    with pytest.raises(LocalCloudError, match="NoSuch") as failure:
        LocalCloud(template, {"NoSuch": "1"})

    assert "Traceback" not in str(failure.value)
