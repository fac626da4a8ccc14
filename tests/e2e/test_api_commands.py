"""`upload`, `report`, `reports` and `timeline`, with the key that a deployed API needs."""

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from local.cli.terminal import INTERRUPTED
from local.emulator.cloud import LocalCloud
from local.emulator.faults import Fault, Kind
from tests.e2e.conftest import PATIENCE_SECONDS, User
from tests.timing import is_met

KEY = "open-sesame"
_ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-m", "local")
_POLLS = """store_id,status,timestamp_utc
a,active,2024-10-14 22:25:00 UTC
a,inactive,2024-10-14 23:10:00.5 UTC
b,active,2024-10-14 23:55:00 UTC
[red]c,maybe,2024-10-14 23:55:00 UTC
"""
_HOURS = """store_id,day,start_time_local,end_time_local
a,0,09:00,18:45
"""
_REPORT = [
    "a,15.01,9.17,9.17,34.99,0.58,0.58",
    "b,60.00,24.00,168.00,0.00,0.00,0.00",
]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user of a cloud with two ingested files, which the command line has uploaded."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "store_status.csv").write_text(_POLLS)
    (folder / "menu.csv.gz").write_bytes(gzip.compress(_HOURS.encode()))
    with LocalCloud(api_key=KEY) as cloud:
        user = User(cloud, {"x-api-key": KEY})
        polls = store_monitoring(user, "upload", f"{folder}/store_status.csv")
        assert polls.returncode == 0, polls.stderr
        assert line_of(polls, "store_status.csv: committed", "3", "1")
        assert line_of(polls, "line 5: ")
        hours = store_monitoring(user, "upload", "--kind=business_hours", f"{folder}/menu.csv.gz")
        assert line_of(hours, "menu.csv.gz: committed", "1"), hours.stderr
        yield user


def environment(user: User, **variables: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(_ROOT / "layers" / "core"),
        "STORE_MONITORING_URL": user.cloud.api_url,
        "STORE_MONITORING_KEY": KEY,
        **variables,
    }


def store_monitoring(
    user: User, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_COMMAND, *arguments],
        cwd=_ROOT,
        env=environment(user, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def line_of(done: subprocess.CompletedProcess[str], *words: str) -> str:
    """Return the one line that a command has printed with these words, in this order."""
    pattern = re.compile(".*".join(rf"(?<!\w){re.escape(word)}" for word in words))
    [line] = [line for line in done.stdout.splitlines() if pattern.search(line)]
    return line


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a command that has failed."""
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_a_file_that_is_rejected_says_why(user: User, tmp_path: Path) -> None:
    (tmp_path / "timezones.csv").write_text("store,zone\na,UTC\n")
    line = failed(store_monitoring(user, "upload", f"{tmp_path}/timezones.csv"))
    assert "timezones.csv" in line
    assert "timezone_str" in line


def test_a_file_that_is_too_large_is_not_sent(user: User, tmp_path: Path) -> None:
    with (tmp_path / "store_status.csv").open("wb") as file:
        file.truncate(2**40)
    line = failed(store_monitoring(user, "upload", f"{tmp_path}/store_status.csv"))
    assert "1,073,741,824" in line


def test_a_report_is_made_and_saved(user: User, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    done = store_monitoring(user, "report", "--out", str(out), "--formats", "csv,json")
    assert done.returncode == 0, done.stderr
    assert out.read_text().splitlines()[1:] == _REPORT
    assert out.with_suffix(".json").exists()
    assert line_of(done, "2 ", "2024-10-14T23:55:00.000000Z", f"{out}", f"{out.stem}.json")


def test_groups_and_outages_are_saved_beside_a_report_of_some_stores(
    user: User, tmp_path: Path
) -> None:
    (tmp_path / "stores.csv").write_text("store_id,brand,region\na,Nori,West\nb,Miso,West\n")
    done = store_monitoring(user, "upload", f"{tmp_path}/stores.csv")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out.csv"
    options = ("--where", "brand=Nori", "--where", "brand=Udon", "--group-by", "region")
    more = ("--outages", "--target-percent", "99.5", "--out", str(out))
    done = store_monitoring(user, "report", *options, *more)
    assert done.returncode == 0, done.stderr
    assert out.read_text().splitlines()[1:] == _REPORT[:1]
    groups = (tmp_path / "out-groups.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in groups] == ["region", "West"]
    outages = (tmp_path / "out-outages.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in outages] == ["store_id", "a"]
    assert "out-groups.csv" in done.stdout
    assert "out-outages.csv" in done.stdout


def test_a_report_of_one_store_at_an_instant_goes_to_standard_output(user: User) -> None:
    arguments = ("--store-id", "b", "--as-of", "2024-10-15T12:00:00Z", "--out", "/dev/stdout")
    done = store_monitoring(user, "report", *arguments, "--poll-filter", "business_hours")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["b,60.00,24.00,168.00,0.00,0.00,0.00"]


def test_reports_are_listed_page_by_page_and_can_be_downloaded_again(
    user: User, tmp_path: Path
) -> None:
    report_id = user.trigger()
    user.ended(report_id)
    failing = user.trigger(store_ids=["no-such-store"])
    user.ended(failing)
    first = store_monitoring(user, "reports", "--limit", "1")
    assert failing in first.stdout
    assert "UnknownStore" in first.stdout
    [more] = [line for line in first.stdout.splitlines() if line.startswith("more: ")]
    second = store_monitoring(user, *more.split()[2:])
    assert report_id in second.stdout
    assert failing not in second.stdout

    out = tmp_path / "again.csv"
    done = store_monitoring(user, "report", report_id, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_text().splitlines()[1:] == _REPORT
    other = store_monitoring(user, "report", report_id, "--out", f"{tmp_path}/again.html")
    assert "html" in failed(other)
    assert "UnknownStore" in failed(store_monitoring(user, "report", failing))


def test_a_timeline_has_the_numbers_of_the_report(user: User) -> None:
    done = store_monitoring(user, "timeline", "a")
    assert done.returncode == 0, done.stderr
    [monday] = [line for line in done.stdout.splitlines() if "Mon 2024-10-14" in line]
    # The poll that turns it down is at 18:10:00.5 in Chicago.
    values = [cell.strip() for cell in monday.split("│")[2:7]]
    assert values == ["09:00–18:45", "9.17", "0.58", "2", "18:10–18:45"]
    assert line_of(done, "last hour", "15.01", "34.99")
    later = store_monitoring(user, "timeline", "a", "--as-of", "2024-12-03T00:00:00Z")
    assert line_of(later, "last day", "0.00", "no data")
    assert "unknown_store" in failed(store_monitoring(user, "timeline", "no-such-store"))


def test_a_report_without_known_polls_has_a_warning(user: User, tmp_path: Path) -> None:
    later = ("--as-of", "2024-12-03T00:00:00Z")
    done = store_monitoring(user, "report", *later, "--out", str(tmp_path / "later.csv"))
    assert done.returncode == 0, done.stderr
    assert line_of(done, "warning: ")


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_missing_key_is_asked_for(user: User, key: str) -> None:
    line = failed(store_monitoring(user, "reports", STORE_MONITORING_KEY=key))
    assert "STORE_MONITORING_KEY" in line


def test_an_option_comes_before_the_environment(user: User) -> None:
    done = store_monitoring(user, "reports", "--key", KEY, STORE_MONITORING_KEY="wrong")
    assert done.returncode == 0, done.stderr


def test_another_kind_of_server_is_recognised(user: User) -> None:
    line = failed(store_monitoring(user, "reports", "--url", user.cloud.endpoint_url))
    assert user.cloud.endpoint_url in line


def test_ctrl_c_ends_the_waiting_but_not_the_report(user: User, tmp_path: Path) -> None:
    assert is_met(2, partial(interrupted_after_seconds, user, tmp_path))


def interrupted_after_seconds(user: User, folder: Path) -> float:
    """Interrupt the command while it waits for its report; return how long it takes to end."""
    user.cloud.inject(Fault(Kind.SLOW, "StepFunctions lambda:Invoke local-*", seconds=600))
    with subprocess.Popen(
        [*_COMMAND, "report", "--out", f"{folder}/out.csv"],
        cwd=_ROOT,
        env=environment(user),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        word, report_id = program.stdout.readline().split()
        assert word == "report"
        began = time.monotonic()
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=PATIENCE_SECONDS)
        took_seconds = time.monotonic() - began
    user.cloud.inject()  # the report goes on
    assert (program.returncode, errors) == (INTERRUPTED, "stopped\n")
    assert user.ended(report_id)["status"] == "Complete"
    assert not list(folder.iterdir())
    return took_seconds
