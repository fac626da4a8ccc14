"""The sample files that the local cloud offers to the console, beside its API."""

from pathlib import Path

from werkzeug.test import Client
from werkzeug.wrappers import Response

from local.emulator.sample_files import with_sample_files


def test_files_are_served_by_key_and_nothing_else_is(tmp_path: Path) -> None:
    polls = tmp_path / "store_status.csv"
    polls.write_text("store_id,status,timestamp_utc\n")
    (tmp_path / "secret").touch()
    client = Client(with_sample_files(Response("the API"), {"polls/store_status.csv": polls}))
    assert client.get("/local/sample").json == ["polls/store_status.csv"]
    assert client.get("/local/sample/polls/store_status.csv").data == polls.read_bytes()
    assert client.get("/local/sample/polls/secret").status_code == 404
    assert client.get("/local/samples").text == "the API"
