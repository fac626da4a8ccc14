"""Dependencies are pinned, no secret is in the tree, and each suppressed warning has a reason."""

import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The forms that secrets have by which their issuers let them be found.
SECRETS = {
    "an AWS access key id": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "an AWS secret key": r"(?i)secret_?(access_?)?key\W{1,5}[0-9a-z/+]{40}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a token of GitHub": r"\b(gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,})\b",
    "a token of Slack": r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}",
    "a token of PyPI": r"\bpypi-[0-9A-Za-z_-]{40,}",
    "a signed token": r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.",
    "a password in an address": r"://[^/\s:@'\"{}$<]+:[^/\s:@'\"{}$<]+@",
}


def files() -> list[Path]:
    """Return all files of the project, without what is made and downloaded."""
    ignored = [
        ".git",
        *(line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()),
    ]

    def kept(names: list[str]) -> list[str]:
        return [name for name in names if not any(fnmatch(name, each) for each in ignored)]

    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = kept(folders)  # the others are not entered: they have many files
        found += [Path(folder, name) for name in kept(names)]
    return found


LOCKS = [
    path.relative_to(ROOT).as_posix() for path in files() if path.name.endswith("requirements.txt")
]


def secrets_in(text: str) -> list[str]:
    return [kind for kind, pattern in SECRETS.items() if re.search(pattern, text)]


def test_no_secret_is_in_the_tree() -> None:
    paths = files()
    assert len(paths) > 100
    secrets = {path: secrets_in(path.read_text(errors="replace")) for path in paths}
    assert {path: kinds for path, kinds in secrets.items() if kinds} == {}


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("an AWS access key id", ("AKIA", "Z" * 16)),
        ("an AWS secret key", ("aws_secret_access", "_key = ", "a1" * 20)),
        ("a private key", ("-----BEGIN RSA ", "PRIVATE KEY-----")),
        ("a token of GitHub", ("ghp_", "a1" * 18)),
        ("a token of Slack", ("xoxb-", "1" * 12)),
        ("a token of PyPI", ("pypi-", "a" * 40)),
        ("a signed token", ("eyJ", "a" * 12, ".eyJ", "b" * 12, ".c")),
        ("a password in an address", ("https://me", ":word", "@host/")),
    ],
)
def test_a_secret_would_be_found(kind: str, parts: tuple[str, ...]) -> None:
    assert secrets_in("".join(parts)) == [kind]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_its_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+( ;[^#]*?)?\s+--hash=sha256:", requirement)


def test_every_list_of_requirements_has_its_lock() -> None:
    lists = [path.relative_to(ROOT) for path in files() if path.name.endswith("requirements.in")]
    assert {path.with_suffix(".txt").as_posix() for path in lists} == set(LOCKS)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_lock_is_audited(lock: str) -> None:
    make = ["make", "--dry-run", "audit"]
    commands = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert f"-r {lock}" in commands


def test_security_rules_hold_for_all_that_runs() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in rules["select"]
    assert [rule for rule in rules["ignore"] if rule.startswith("S")] == ["S101"]
    relaxed = {where for where, rules in rules["per-file-ignores"].items() if "S" in rules}
    assert relaxed == {"tests/**"}


@pytest.mark.parametrize("folder", ["bench", "functions", "layers", "local", "testing", "tests"])
def test_a_suppressed_warning_has_a_reason(folder: str) -> None:
    unsaid = [
        f"{path}: {line.strip()}"
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"# (noqa|type: ignore)\b", line) and not re.search(r"  # [^#]+  # \w", line)
    ]
    assert unsaid == []
