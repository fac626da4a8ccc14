"""Web pages that a developer visits cannot use the local cloud."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from local.emulator.settings import FAULTS_PATH, HOST
from tests.e2e.conftest import PATIENCE_SECONDS, User

POLLS = b"store_id,status,timestamp_utc\nforged,active,2024-10-14 12:00:00 UTC\n"
# The headers that browsers add for pages of another site, and of another port of this machine.
PAGES = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
]
# Simple requests, which browsers send without a preflight.
PLAIN = {"Content-Type": "text/plain"}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/moto-api/reset", {}),
    ("GET", "/moto-api/data.json", {}),
    ("POST", FAULTS_PATH, {"data": '{"faults": [], "seed": 0}', "headers": PLAIN}),
    ("PUT", FAULTS_PATH, {"data": '{"faults": [], "seed": 0}'}),
    ("POST", "/", {"data": "Action=ListUsers&Version=2010-05-08"}),
    ("GET", "/sqs_us-east-1/?Action=CreateQueue&QueueName=forged&X-Amz-Signature=1", {}),
    ("POST", "/2015-03-31/functions/local-PlanAndMergeFunction/invocations", {"headers": PLAIN}),
    ("PUT", "/forged", {}),
    ("POST", "/INBOX?delete", {"data": "<Delete/>", "headers": PLAIN}),
    ("POST", "/INBOX?delete", {"files": {"file": b"<Delete/>"}}),
    ("PUT", "/INBOX/polls/forged.csv", {"data": POLLS}),
    ("PUT", "/INBOX/polls/forged.csv?X-Amz-Signature=1", {"data": POLLS}),
    ("DELETE", "/INBOX", {}),
    ("GET", "/DATA", {}),
    (
        "POST",
        "/INBOX",
        {"headers": {"Authorization": "AWS4 Credential=a/1/us-east-1/dynamodb/aws4_request"}},
    ),
]


@pytest.mark.parametrize("page", PAGES, ids=str)
@pytest.mark.parametrize(("method", "path", "request_"), CALLS, ids=str)
def test_aws_services_refuse_pages(
    user: User, page: dict[str, str], method: str, path: str, request_: dict[str, Any]
) -> None:
    outputs = user.cloud.outputs
    path = path.replace("INBOX", outputs["InboxBucketName"])
    path = path.replace("DATA", outputs["DataBucketName"])
    headers = page | request_.get("headers", {})
    url = f"{user.cloud.endpoint_url}{path}"
    response = requests.request(
        method, url, timeout=PATIENCE_SECONDS, **request_ | {"headers": headers}
    )
    assert (response.status_code, "AccessDenied" in response.text) == (403, True)
    assert "Access-Control-Allow-Origin" not in response.headers


def test_moto_s_reset_does_not_exist(user: User) -> None:
    assert (
        requests.post(
            f"{user.cloud.endpoint_url}/moto-api/reset", timeout=PATIENCE_SECONDS
        ).status_code
        == 404
    )
    assert user.get("/healthz").status_code == 200


def test_a_page_may_send_only_an_unchanged_signed_form(user: User) -> None:
    form = user.post("/uploads", json={"kind": "polls", "filename": "polls.csv"}).json()
    page, file = PAGES[0], {"file": ("polls.csv", b"no polls")}
    policy = json.loads(b64decode(form["fields"]["policy"]))
    policy["conditions"] += [{"x-amz-meta-a": "b"}]
    forged = b64encode(json.dumps(policy).encode()).decode()
    for changes in (
        {"policy": forged, "x-amz-meta-a": "b"},
        {"x-amz-signature": "0" * 64},
        {"x-amz-signature": ""},
    ):
        fields = form["fields"] | changes
        response = requests.post(
            form["url"], data=fields, files=file, headers=page, timeout=PATIENCE_SECONDS
        )
        assert (response.status_code, "SignatureDoesNotMatch" in response.text) == (403, True)
    response = requests.post(
        form["url"], data=form["fields"], files=file, headers=page, timeout=PATIENCE_SECONDS
    )
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == page["Origin"]


def test_a_field_that_the_policy_does_not_name_is_refused(user: User) -> None:
    form = user.post("/uploads", json={"kind": "polls", "filename": "polls.csv"}).json()
    file = {"file": ("polls.csv", b"no polls")}

    def post(**extra: str) -> requests.Response:
        fields = form["fields"] | extra
        return requests.post(form["url"], data=fields, files=file, timeout=PATIENCE_SECONDS)

    response = post(**{"x-amz-storage-class": "GLACIER"})
    assert response.status_code == 403
    assert "<Code>AccessDenied</Code>" in response.text
    expected = "Invalid according to Policy: Extra input fields: x-amz-storage-class"
    assert expected in response.text
    assert post(**{"x-ignore-me": "please"}).status_code == 204


def test_an_unchanged_download_link_works_from_any_page(user: User) -> None:
    url = user.ended(user.trigger())["url"]
    from_mail = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert requests.get(url, headers=from_mail, timeout=PATIENCE_SECONDS).status_code == 200
    other = url.replace("report.csv?", "plan.json?")
    assert other != url
    assert requests.get(other, headers=from_mail, timeout=PATIENCE_SECONDS).status_code == 403
    assert requests.put(url, headers=from_mail, timeout=PATIENCE_SECONDS).status_code == 403


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_api_starts_nothing_for_pages(user: User, page: dict[str, str]) -> None:
    before = user.get("/reports").json()["reports"]
    for method in ("GET", "POST"):
        response = user.request(method, "/trigger_report", headers=page)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "refused")
    assert user.get("/reports", headers=page).status_code == 403
    assert user.get("/reports").json()["reports"] == before
    # A link may open the console, which then calls the API itself.
    assert user.get("/", headers={"Accept": "text/html"} | page).status_code == 200
    own = {"Origin": user.cloud.api_url, "Sec-Fetch-Site": "same-origin"}
    assert user.get("/reports", headers=own).status_code == 200


def test_without_an_allowed_origin_no_page_may_call(user: User) -> None:
    preflight = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
    for path in ("/", "/reports"):
        refused = user.request("OPTIONS", path, headers=preflight)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET")
    response = user.get("/reports", headers={"Origin": preflight["Origin"]})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("service", ["api_url", "endpoint_url"])
def test_dns_rebinding_is_refused(user: User, service: str) -> None:
    url = getattr(user.cloud, service)
    host = {"Host": f"evil.example:{urlsplit(url).port}"}
    assert requests.get(f"{url}/healthz", headers=host, timeout=PATIENCE_SECONDS).status_code == 403


def test_the_addresses_of_lambda_emulators_cannot_be_guessed(user: User) -> None:
    user.report()
    listening = listeners(user.cloud.pid)
    served = {urlsplit(url).port for url in (user.cloud.api_url, user.cloud.endpoint_url)}
    emulators = {address for address in listening if address[0] != HOST}
    assert {port for host, port in listening if host == HOST} == served
    assert len(emulators) >= 2
    assert all(host.startswith("127.") for host, _ in emulators)
    assert len({host for host, _ in emulators}) > 1


def listeners(process: int) -> set[tuple[str, int]]:
    """Return the IPv4 addresses on which a process and its descendants listen."""
    sockets = set()
    for pid in descendants(process):
        with suppress(FileNotFoundError):  # it has ended
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # it has been closed
                    sockets.add(str(descriptor.readlink()))
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        if state == "0A" and f"socket:[{inode}]" in sockets:
            host, _, port = local.partition(":")
            found.add((str(IPv4Address(bytes.fromhex(host)[::-1])), int(port, 16)))
    return found


def descendants(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it has ended
            for child in (thread / "children").read_text().split():
                yield from descendants(int(child))
