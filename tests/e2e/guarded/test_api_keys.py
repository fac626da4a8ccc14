"""The procedures of docs/operations.md about callers: rotate the key, and find calls in the log."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.emulator.settings import ACCESS_KEY, REGION, SECRET_KEY
from tests.e2e.conftest import User
from tests.e2e.guarded.conftest import KEY

ROOT = Path(__file__).parents[3]
ADDRESS = "/reports"


@pytest.fixture
def user(guarded: User) -> User:
    """A user without a key."""
    return User(guarded.cloud)


def commands(heading: str) -> list[str]:
    """Return the command blocks of a section of docs/operations.md."""
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = guide.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"(?:^    .+\n)+", section, re.MULTILINE)


def run(user: User, *blocks: str) -> str:
    """Run commands unchanged, with stand-ins for the AWS CLI and the stack's outputs."""
    outputs = "".join(f"{name}) echo '{value}';;\n" for name, value in user.cloud.outputs.items())
    shell = f"""
        aws() {{ '{sys.executable}' -m tests.aws_command "$@"; }}
        output() {{ case $1 in {outputs} esac; }}
        stack=local
    """
    done = subprocess.run(
        ["bash", "-euc", "\n".join([shell, *blocks])],
        cwd=ROOT,
        env={
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": user.cloud.endpoint_url,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(user: User, key: str) -> int:
    return user.get(ADDRESS, headers={"x-api-key": key}).status_code


def access_log(user: User) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in user.cloud.logs("ApiAccessLogs").splitlines()
    ]
    return lines


def test_the_key_is_rotated_and_each_call_is_logged_with_its_key(user: User) -> None:
    make, disable = commands("Rotating the API key")
    calls_before = len(access_log(user))
    listed, *_, new_key = run(user, make).splitlines()
    assert listed.split("\t")[0] == user.cloud.outputs["ApiKeyId"]
    # Both keys are valid until the old one is disabled.
    assert [status(user, key) for key in (KEY, new_key, "wrong", "")] == [200, 200, 403, 403]
    run(user, f"old={user.cloud.outputs['ApiKeyId']}", disable)
    assert [status(user, key) for key in (KEY, new_key)] == [403, 200]
    run(user, f"old={user.cloud.outputs['ApiKeyId']}", disable.replace("value=false", "value=true"))
    assert status(user, KEY) == 200

    calls = access_log(user)[calls_before:]
    old_id, unknown = user.cloud.outputs["ApiKeyId"], "-"
    new_id = calls[1]["apiKeyId"]
    assert new_id not in {old_id, unknown}
    assert [(call["apiKeyId"], call["status"]) for call in calls] == [
        (old_id, "200"),
        (new_id, "200"),
        (unknown, "403"),
        (unknown, "403"),
        (unknown, "403"),
        (new_id, "200"),
        (old_id, "200"),
    ]
    assert KEY not in user.cloud.logs("ApiAccessLogs")


def test_an_access_log_line_describes_the_request_and_links_to_the_function_s_log(
    user: User,
) -> None:
    path = "/get_report/1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10"
    calls_before = len(access_log(user))
    response = user.get(f"{path}?download=true", headers={"x-api-key": KEY})
    user.get('/healthz?"')
    user.post("/trigger_report", headers={"x-api-key": KEY})
    call, health, trigger = access_log(user)[calls_before:]
    assert call | {"requestId": "", "extendedRequestId": "", "latencyMs": ""} == {
        "requestId": "",
        "extendedRequestId": "",
        "apiKeyId": user.cloud.outputs["ApiKeyId"],
        "caller": "-",
        "ip": "127.0.0.1",
        "method": "GET",
        "route": "/get_report/{report_id}",
        "path": path,
        "status": "404",
        "latencyMs": "",
        "bytes": str(len(response.content)),
    }
    assert int(call["latencyMs"]) >= 0
    assert (health["route"], health["apiKeyId"]) == ("/healthz", "-")
    assert f'"correlation_id":"{trigger["requestId"]}"' in user.cloud.logs("TriggerReportFunction")
