"""The OpenAPI document agrees with the code."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.errors import InvalidRequestError
from store_monitoring.http import app as api
from store_monitoring.ingest.outcomes import UploadStatus
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.reports.idempotency import IdempotencyKey
from store_monitoring.reports.pages import PageRequest
from store_monitoring.reports.report import Format, Status, checked_report_id
from store_monitoring.reports.request import ReportRequest
from store_monitoring.uploads import UPLOAD_LIMIT_BYTES, UploadRequest, UploadTarget

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "functions/pages/openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in response:
        return response
    _, _, name = response["$ref"].rpartition("/")
    return DOCUMENT["components"]["responses"][name]


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name, schema and examples of each request and response body."""
    for name, operation in operations():
        if "requestBody" in operation:
            yield name, operation["requestBody"]["content"]["application/json"]
        for status, response in operation["responses"].items():
            for media, body in resolved(response)["content"].items():
                yield f"{name} {status} {media}", body


def examples(body: dict[str, Any]) -> list[Any]:
    if "example" in body:
        return [body["example"]]
    return [example["value"] for example in body.get("examples", {}).values()]


def test_it_is_an_openapi_document() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    validate(DOCUMENT)


@pytest.mark.parametrize(("name", "body"), [pytest.param(*body, id=body[0]) for body in bodies()])
def test_every_body_has_valid_examples(name: str, body: dict[str, Any]) -> None:
    schema = {**body["schema"], "components": DOCUMENT["components"]}  # for its references
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    assert examples(body)
    for example in examples(body):
        validator.validate(example)


def test_example_requests_are_accepted() -> None:
    request = DOCUMENT["paths"]["/trigger_report"]["post"]["requestBody"]
    for example in examples(request["content"]["application/json"]):
        ReportRequest.from_json(example)


def test_error_codes_are_those_of_the_document() -> None:
    ours = {code for _, code in api.ERROR_RESPONSES.values()} | {"internal_error"}
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    gateways = set(re.findall(r'{"error": {"code": "(\w+)"', template))
    listed = SCHEMAS["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    assert listed == sorted(ours | gateways)


def test_enums_are_those_of_the_code() -> None:
    kinds = {"PollFilter": PollFilter, "Format": Format, "Status": Status, "UploadKind": Kind}
    for name, kind in kinds.items():
        assert SCHEMAS[name]["enum"] == list(kind)
    assert set(SCHEMAS["ReportRequest"]["properties"]) == set(ReportRequest().to_json())


def test_limits_are_those_of_the_code() -> None:
    most = SCHEMAS["ReportRequest"]["properties"]["store_ids"]["maxItems"]
    ids = [f"store {number}" for number in range(most + 1)]
    assert ReportRequest.from_json({"store_ids": ids[:most]}).store_ids is not None
    with pytest.raises(InvalidRequestError):
        ReportRequest.from_json({"store_ids": ids})

    [limit, _] = DOCUMENT["paths"]["/reports"]["get"]["parameters"]
    schema = limit["schema"]
    assert PageRequest.from_query(None, None).limit == schema["default"]
    for number in (schema["minimum"], schema["maximum"]):
        assert PageRequest.from_query(str(number), None).limit == number
    for number in (schema["minimum"] - 1, schema["maximum"] + 1):
        with pytest.raises(InvalidRequestError):
            PageRequest.from_query(str(number), None)

    pattern = re.compile(SCHEMAS["ReportId"]["pattern"])
    report_id = "0B6C7C0E-6f0a-4c43-9d5e-3a1f0a6b7c11"
    assert pattern.search(report_id)
    assert checked_report_id(report_id)

    key = DOCUMENT["components"]["parameters"]["IdempotencyKey"]
    assert re.search(key["schema"]["pattern"], "k" * 255)
    assert not re.search(key["schema"]["pattern"], "k" * 256)
    IdempotencyKey.of("caller", key["example"], ReportRequest())


def test_the_console_s_files_are_documented() -> None:
    [part] = DOCUMENT["paths"]["/console/{part}"]["get"]["parameters"]
    folder = ROOT / "functions" / "pages" / "console"
    parts = {path.name for path in folder.iterdir() if path.suffix in (".css", ".js")}
    assert part["schema"]["enum"] == sorted(parts | {"theme.css"})


def test_upload_requests_are_those_of_the_code() -> None:
    request = SCHEMAS["UploadRequest"]["properties"]["filename"]
    longest = request["maxLength"]
    UploadRequest.from_json({"kind": "polls", "filename": "n" * longest})
    with pytest.raises(InvalidRequestError):
        UploadRequest.from_json({"kind": "polls", "filename": "n" * (longest + 1)})
    target = UploadTarget.new(UploadRequest(Kind.BUSINESS_HOURS, "n" * 100), datetime.now(UTC))
    assert re.search(SCHEMAS["UploadId"]["pattern"], target.upload_id)
    assert SCHEMAS["Upload"]["properties"]["status"]["enum"] == list(UploadStatus)
    [form] = examples(dict(bodies())["POST /uploads 201 application/json"])
    assert form["limit_bytes"] == UPLOAD_LIMIT_BYTES
    assert UploadTarget.from_id(form["upload_id"]).key == form["fields"]["key"]


def test_the_old_way_to_trigger_is_deprecated() -> None:
    deprecated = [name for name, operation in operations() if operation.get("deprecated")]
    assert deprecated == ["GET /trigger_report"]
