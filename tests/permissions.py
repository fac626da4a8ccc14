"""Proves least privilege by use: compares what the roles allow with what the tests used.

Each cloud of a run appends the permissions that were used and the calls that were denied to one
file. With ``--prove-permissions``, for runs of all tests that start clouds, a run fails if a role
denied a call, or if it allows something that no call used and `UNUSED` does not explain.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from local.emulator.permissions import RECORD_VARIABLE
from local.emulator.policies import Permission, Role
from local.emulator.settings import ACCOUNT, REGION, STACK_NAME
from local.emulator.template import Stack, Template

TEMPLATE = Path(__file__).parents[1] / "template.yaml"

# The parameters with which the end-to-end tests make roles allow more than by default.
_PARAMETERS = {"NotificationTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:readers"}

UNUSED = {
    "* logs:* *": "Lambda and Step Functions write logs; the local cloud writes files",
    "* xray:* *": "Lambda and Step Functions write traces; the local cloud has none",
    "IngestRole s3:GetObject *inbox*": "only for uploads without a version, in a new bucket",
    "*Role s3:AbortMultipartUpload *": "only when a write of several parts fails midway",
    "ReportTimerRole lambda:InvokeFunction *": "the local cloud keeps no schedules; tests call",
    "ReportStateMachineRole s3:GetObject *receipts/*": "moto's interpreter reads no receipts",
    "ReportStateMachineRole s3:ListMultipartUploadParts *": "it writes receipts in one part",
    "ReportStateMachineRole states:* *": "moto's interpreter runs the children of a map itself",
}
"""The permissions that nothing uses here: patterns of "role action resource", and reasons."""


def complaints(template: Path, lines: Iterable[str]) -> Iterator[str]:
    """Yield the problems that the record of a run shows in the roles of a template.

    Parameters
    ----------
    template
        The template with the roles.
    lines
        The record, which may include clouds of other templates.
    """
    entries = [json.loads(line) for line in lines]
    noted = {
        (Permission(entry["role"], entry["action"], entry["resource"]), entry["allowed"])
        for entry in entries
        if entry["template"] == str(template)
    }
    used = {permission for permission, is_allowed in noted if is_allowed}
    for permission, is_allowed in sorted(noted):
        if not is_allowed:
            yield f"{_text(permission)}: called, but not allowed"
    patterns = set(UNUSED)
    for permission in sorted(_allowed(template)):
        explaining = {each for each in UNUSED if fnmatchcase(_text(permission), each)}
        if permission in used:
            for each in sorted(explaining):
                yield f"{_text(permission)}: used, though UNUSED has {each!r}"
        elif not explaining:
            yield f"{_text(permission)}: allowed, but never used"
        patterns -= explaining
    for each in sorted(patterns):
        yield f"{each}: in UNUSED, but nothing like it is allowed"


def _allowed(template: Path) -> set[Permission]:
    parsed = Template(template, Stack(STACK_NAME, REGION, ACCOUNT), _PARAMETERS)
    roles = (Role(each.name, each.properties) for each in parsed.resources("AWS::IAM::Role"))
    return {permission for role in roles for permission in role.permissions()}


def _text(permission: Permission) -> str:
    role = permission.role.removeprefix(f"{STACK_NAME}-")
    return f"{role} {permission.action} {permission.resource}"


@contextmanager
def unrecorded() -> Iterator[None]:
    """Start clouds without a record, for tests that expect denials."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(RECORD_VARIABLE, raising=False)
        yield


class Proof:
    """The plugin that keeps a run's record, in the main process of pytest."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._record = Path(self._folder.name) / "permissions"
        self._record.touch()
        os.environ[RECORD_VARIABLE] = str(self._record)
        self._complaints: list[str] = []

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Check the record; fail the run if it shows a problem."""
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self._complaints = list(complaints(TEMPLATE, self._record.read_text().splitlines()))
        self._folder.cleanup()
        if self._complaints:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the problems."""
        if self._complaints:
            terminalreporter.section("permissions", red=True)
            for complaint in self._complaints:
                terminalreporter.write_line(complaint)
