"""The Iceberg tables of a cloud, and the recipes of docs/analytics.md."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.cli.sql import connect
from local.emulator.cloud import LocalCloud
from local.emulator.settings import ACCESS_KEY, REGION, SECRET_KEY
from tests.e2e.conftest import User, ingest, until

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "analytics.md").read_text(encoding="utf-8")
DATABASE = "local"


def recipes(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def user(sample: dict[str, bytes]) -> Iterator[User]:
    """A user of a cloud that publishes tables, with two reports of the small sample."""
    overrides = {"PublishTables": "true", "FuturePollToleranceMinutes": "0", "BucketCount": "4"}
    # A second environment of the function that publishes would take longest to start.
    with LocalCloud(parameter_overrides=overrides, environments=1) as cloud:
        user = User(cloud)
        ingest(user, sample)
        for as_of in ("2024-09-20T00:00:00Z", "2024-10-14T00:00:00Z"):
            user.report(as_of=as_of)
        wait_for_reports(user, 2)
        yield user


def current(user: User, table: str) -> Mapping[str, Any] | None:
    """Return the current snapshot of a table; None if there is none yet."""
    glue = user.cloud.client("glue")
    try:
        found = glue.get_table(DatabaseName=DATABASE, Name=table)
        location = found["Table"]["Parameters"]["metadata_location"]
        bucket, _, key = location.removeprefix("s3://").partition("/")
        content = user.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (glue.exceptions.EntityNotFoundException, user.s3.exceptions.NoSuchKey):
        return None
    snapshots = json.loads(content)["snapshots"]
    return snapshots[-1] if snapshots else None


def wait_until_published(user: User) -> int:
    """Wait until the tables have the version of the ingest log; return it."""
    key = {"log": {"S": "head"}, "entry": {"S": "head"}}
    head = user.dynamodb.get_item(TableName=user.cloud.outputs["IngestTableName"], Key=key)
    version = int(head["Item"]["version"]["N"])
    until(lambda: (current(user, "stores") or {}).get("snapshot-id") == version or None)
    return version


def wait_for_reports(user: User, number: int) -> None:
    """Wait until so many reports are published; each has a file."""

    def found() -> bool | None:
        snapshot = current(user, "report_rows")
        files = "0" if snapshot is None else snapshot["summary"]["total-data-files"]
        return True if files == str(number) else None

    until(found)


Query = Callable[[str], list[tuple[Any, ...]]]


def connected(user: User) -> Query:
    """Return a function that reads the current versions of the tables, several times."""
    connection = connect(DATABASE, user.cloud.endpoint_url)
    return lambda statement: connection.sql(statement).fetchall()


def rows(user: User, statement: str) -> list[tuple[Any, ...]]:
    return connected(user)(statement)


def aws(user: User) -> Mapping[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": user.cloud.endpoint_url,
        "PYICEBERG_CATALOG__GLUE__S3__ENDPOINT": user.cloud.endpoint_url,
        "PYICEBERG_CATALOG__GLUE__S3__REGION": REGION,
        "AWS_ALLOW_HTTP": "true",  # for Polars
        "POLARS_ICEBERG_PLANNER": "pyiceberg",
        "PATH": "/usr/bin:/bin",
    }


@pytest.fixture(scope="module")
def query(user: User) -> Query:
    """Reads the tables in one version."""
    return connected(user)


@pytest.mark.parametrize("statement", recipes("sql"))
def test_a_recipe_in_sql_returns_rows(statement: str, query: Query) -> None:
    assert query(statement)


@pytest.mark.parametrize("program", recipes("python"))
def test_a_recipe_in_python_returns_rows(program: str, user: User) -> None:
    program = program.replace("store_monitoring.", f"{DATABASE}.")
    result = re.findall(r"^(\w+) = ", program, re.MULTILINE)[-1]
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint(len({result}))"],
        env=aws(user),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_polls_and_stores_are_those_of_the_sample(user: User, sample: dict[str, bytes]) -> None:
    wait_until_published(user)
    (polls,) = (content for key, content in sample.items() if key.startswith("polls/"))
    store_ids = {line.partition(b",")[0].decode() for line in polls.splitlines()[1:]}
    query = connected(user)
    assert {store_id for (store_id,) in query("SELECT DISTINCT store_id FROM polls")} == store_ids
    count = [(len(polls.splitlines()) - 1,)]
    assert query("SELECT count(*) FROM polls") == count
    assert query("SELECT count(*) FROM polls SEMI JOIN stores USING (store_id)") == count


def test_the_command_prints_rows(user: User) -> None:
    statement = "SELECT count(DISTINCT report_id) AS reports FROM report_rows"
    command = [sys.executable, "-m", "local", "sql", "--endpoint", user.cloud.endpoint_url]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "layers" / "core")}
    done = subprocess.run(
        [*command, statement],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reports\n2\n"
    wrong = subprocess.run(
        [*command, "SELECT"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: ")


def test_each_upload_becomes_a_version(user: User) -> None:
    before = rows(user, "SELECT count(*) FROM polls")[0][0]
    for number in range(7):
        content = f"store_id,status,timestamp_utc\nnew,active,2024-10-14 12:0{number}:00 UTC\n"
        user.upload("polls/new.csv", content.encode())
        wait_until_published(user)
    assert rows(user, "SELECT count(*) FROM polls") == [(before + 7,)]


def test_a_report_that_is_deleted_leaves_the_table(user: User) -> None:
    report_id = user.trigger(as_of="2024-10-01T00:00:00Z")
    user.ended(report_id)
    wait_for_reports(user, 3)
    user.dynamodb.delete_item(
        TableName=user.cloud.outputs["ReportTableName"], Key={"report_id": {"S": report_id}}
    )
    user.upload("timezones/any.csv", b"store_id,timezone_str\nany,UTC\n")
    wait_for_reports(user, 2)
    assert rows(user, f"SELECT * FROM report_rows WHERE report_id = '{report_id}'") == []


def test_deleting_a_store_leaves_no_version_with_it(user: User) -> None:
    user.upload(
        "polls/gone.csv", b"store_id,status,timestamp_utc\ngone,active,2024-10-14 00:00 UTC\n"
    )
    user.upload("timezones/gone.csv", b"store_id,timezone_str\ngone,UTC\n")
    # Otherwise, the uploads' version may be published after the deletion.
    with_store = wait_until_published(user)
    user.cloud.client("lambda").invoke(
        FunctionName="local-DeleteStoreFunction", Payload=json.dumps({"store_id": "gone"}).encode()
    )
    wait_until_published(user)
    wait_for_reports(user, 2)
    assert rows(user, "SELECT * FROM stores WHERE store_id = 'gone'") == []
    listed = user.s3.list_object_versions(
        Bucket=user.cloud.outputs["DataBucketName"], Prefix="tables/polls/metadata/snap-"
    )
    versions = [int(each["Key"].split("-")[1]) for each in listed["Versions"]]
    assert min(versions) > with_store
