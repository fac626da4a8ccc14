"""The record of a run shows which roles allow too little or too much."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import permissions
from tests.permissions import complaints

BUCKET = "arn:aws:s3:::bucket"


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A role with two permissions, one of which is unused for a reason."""
    path = tmp_path / "template.yaml"
    path.write_text(
        f"""
Parameters: {{ NotificationTopicArn: {{ Type: String }} }}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{}}
      Policies:
        - PolicyName: all
          PolicyDocument:
            Statement:
              Effect: Allow
              Action: [s3:GetObject, s3:DeleteObject]
              Resource: {BUCKET}/*
"""
    )
    monkeypatch.setattr(permissions, "UNUSED", {"Role s3:Delete* *": "unused for the test"})
    return path


def lines(template: Path, **allowed: bool) -> Iterator[str]:
    for action, is_allowed in allowed.items():
        entry = {
            "template": str(template),
            "role": "local-Role",
            "action": f"s3:{action}",
            "resource": f"{BUCKET}/*",
            "allowed": is_allowed,
        }
        yield json.dumps(entry)


def test_all_permissions_are_used_or_explained(template: Path) -> None:
    assert not list(complaints(template, lines(template, GetObject=True)))


def test_an_unused_permission_is_reported(template: Path) -> None:
    # Lines of other templates are ignored.
    elsewhere = lines(template.with_name("other.yaml"), GetObject=True, PutObject=False)
    assert list(complaints(template, elsewhere)) == [
        f"Role s3:GetObject {BUCKET}/*: allowed, but never used"
    ]


def test_a_denied_call_is_reported(template: Path) -> None:
    assert list(complaints(template, lines(template, GetObject=True, PutObject=False))) == [
        f"Role s3:PutObject {BUCKET}/*: called, but not allowed"
    ]


def test_unneeded_explanations_are_reported(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = list(lines(template, GetObject=True, DeleteObject=True))
    assert list(complaints(template, used)) == [
        f"Role s3:DeleteObject {BUCKET}/*: used, though UNUSED has 'Role s3:Delete* *'"
    ]
    monkeypatch.setitem(permissions.UNUSED, "Role s3:Put* *", "out of date")
    assert list(complaints(template, lines(template, GetObject=True))) == [
        "Role s3:Put* *: in UNUSED, but nothing like it is allowed"
    ]
