"""Who may call what."""

import pytest

from tests.e2e.conftest import Api
from tests.e2e.guarded.conformance.conftest import Deployment

NO_REPORT = "1f4de9a6-93b9-4b8b-a7a7-1f6f1c6b2f10"
WITH_KEY = [
    ("POST", "/trigger_report"),
    ("GET", "/trigger_report"),
    ("GET", f"/get_report/{NO_REPORT}"),
    ("GET", f"/get_report?report_id={NO_REPORT}"),
    ("GET", "/reports"),
    ("GET", "/timeline?store_id=nobody"),
    ("POST", "/uploads"),
    ("GET", "/uploads/1"),
]


@pytest.mark.parametrize(("method", "path"), WITH_KEY)
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}])
def test_calls_without_the_key_are_forbidden(
    stranger: Api, method: str, path: str, headers: dict[str, str]
) -> None:
    response = stranger.request(method, path, headers=headers)
    assert response.status_code == 403
    message = "the header x-api-key has no valid key"
    assert response.json() == {"error": {"code": "forbidden", "message": message}}
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/console/console.js", "/healthz", "/docs", "/openapi.json"])
def test_open_paths_need_no_key(stranger: Api, path: str) -> None:
    assert stranger.get(path).status_code == 200


def test_index_and_health(deployment: Deployment) -> None:
    assert "POST /trigger_report" in deployment.get("/").json()["endpoints"]
    assert deployment.get("/healthz").json() == {"ok": True}
