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
from pydantic import BaseModel

from local import openapi
from store_monitoring.http import app as api
from store_monitoring.http.models import ReportBody, UploadBody
from store_monitoring.ingest.parsing.kinds import Kind
from store_monitoring.reports.report import checked_report_id
from store_monitoring.uploads import UPLOAD_LIMIT_BYTES, UploadRequest, UploadTarget

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]


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
            for media, body in response["content"].items():
                yield f"{name} {status} {media}", body


def examples(body: dict[str, Any]) -> list[Any]:
    if body.get("schema") == {"$ref": "#/components/schemas/Problem"}:
        body = {"examples": {"of all": {"value": SCHEMAS["Problem"]["examples"][0]}}}
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


def test_parameters_are_limited_by_keywords_of_json_schema() -> None:
    keywords = set(Draft202012Validator.VALIDATORS) | {"description", "default", "title"}
    keywords |= {"contentMediaType", "example", "examples"}
    for name, operation in operations():
        for parameter in operation.get("parameters", []):
            assert parameter["schema"].keys() <= keywords, (name, parameter["name"])


def test_the_document_is_current() -> None:
    assert openapi.DOCUMENT.read_text(encoding="utf-8") == openapi.text(), "run make openapi"


def test_example_requests_are_accepted() -> None:
    models: dict[str, type[BaseModel]] = {"/trigger_report": ReportBody, "/uploads": UploadBody}
    for path, model in models.items():
        request = DOCUMENT["paths"][path]["post"]["requestBody"]
        for example in examples(request["content"]["application/json"]):
            model.model_validate(example)


def test_nothing_is_filled_in_that_excludes_another_parameter() -> None:
    for _, operation in operations():
        for parameter in operation.get("parameters", []):
            said = (parameter | parameter["schema"]).keys()
            filled_in = said & {"default", "example", "examples"}
            assert not filled_in or parameter["name"] in {"by", "download", "limit", "q", "sort"}


def test_error_codes_are_those_of_the_document() -> None:
    ours = {code for _, code in api.ERROR_RESPONSES.values()} | {"internal_error"}
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    gateways = set(re.findall(r'{"error": {"code": "(\w+)"', template))
    listed = SCHEMAS["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    assert listed == sorted(ours | gateways)


def test_example_errors_have_the_status_of_their_code() -> None:
    statuses = {code: status for status, code in api.ERROR_RESPONSES.values()}
    for _, operation in operations():
        for status, response in operation["responses"].items():
            for example in examples(response["content"].get("application/json", {})):
                code = example.get("error", {}).get("code")
                assert statuses.get(code, int(status)) == int(status)


def test_the_pages_files_are_documented() -> None:
    others = {"console": {"theme.css"}, "docs": {"swagger-ui.css", "swagger-ui.js"}}
    for page, further in others.items():
        [part] = DOCUMENT["paths"][f"/{page}/{{part}}"]["get"]["parameters"]
        folder = ROOT / "functions" / "pages" / page
        parts = {path.name for path in folder.iterdir() if path.suffix in (".css", ".js")}
        assert part["schema"]["enum"] == sorted(parts | further)


def test_documented_ids_are_those_of_the_code() -> None:
    upload = UploadRequest(Kind.BUSINESS_HOURS, "n" * 100)
    target = UploadTarget.new(upload, datetime.now(UTC))
    [upload_id] = DOCUMENT["paths"]["/uploads/{upload_id}"]["get"]["parameters"]
    assert re.search(upload_id["schema"]["pattern"], target.upload_id)
    report_id = "0B6C7C0E-6f0a-4c43-9d5e-3a1f0a6b7c11"
    [documented, _] = DOCUMENT["paths"]["/get_report/{report_id}"]["get"]["parameters"]
    assert re.search(documented["schema"]["pattern"], report_id)
    assert checked_report_id(report_id)
    [form] = examples(dict(bodies())["POST /uploads 201 application/json"])
    assert form["limit_bytes"] == UPLOAD_LIMIT_BYTES
    assert UploadTarget.from_id(form["upload_id"]).key == form["fields"]["key"]


def test_the_old_way_to_trigger_is_deprecated() -> None:
    deprecated = [name for name, operation in operations() if operation.get("deprecated")]
    assert deprecated == ["GET /trigger_report"]
