"""The API: authorization, CORS, throttling, and routes as in the OpenAPI document."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.emulator.template import Template
from tests.template.translation import ROOT, by_id, only, translated

OPEN = {"/", "/console/{part}", "/docs", "/docs/{part}", "/healthz", "/openapi.json"}
DOCUMENT: dict[str, Any] = json.loads((ROOT / "functions/pages/openapi.json").read_text())
ANY_OTHER = "x-amazon-apigateway-any-method"
SCHEMES = {"API_KEY": "api_key", "AWS_IAM": "sigv4"}


def body(template: Template) -> dict[str, Any]:
    """Return the API's definition."""
    definition: dict[str, Any] = only(template, "AWS::ApiGateway::RestApi").properties["Body"]
    return definition


def operations(
    definition: Mapping[str, Any], *, preflights: bool = False
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return a definition's operations by path and method."""
    return {
        (path, method): operation
        for path, methods in definition["paths"].items()
        for method, operation in methods.items()
        if (method == "options") == preflights and method != ANY_OTHER
    }


@pytest.mark.parametrize("access", SCHEMES)
def test_all_but_public_routes_require_authorization(access: str) -> None:
    definition = body(translated(ApiAuth=access))
    assert SCHEMES[access] in definition["components"]["securitySchemes"]
    for (path, _), operation in operations(definition).items():
        expected: list[dict[str, list[str]]] | None = (
            None if path in OPEN else [{SCHEMES[access]: []}]
        )
        assert operation.get("security") == expected


def test_an_api_key_is_created_if_it_is_used() -> None:
    made = {
        access: [
            resource.type
            for kind in ("ApiKey", "UsagePlan", "UsagePlanKey")
            for resource in translated(ApiAuth=access).resources(f"AWS::ApiGateway::{kind}")
        ]
        for access in SCHEMES
    }
    assert len(made["API_KEY"]) == 3
    assert made["AWS_IAM"] == []
    assert "ApiKeyId" in translated(ApiAuth="API_KEY").outputs()
    assert "ApiKeyId" not in translated(ApiAuth="AWS_IAM").outputs()


def test_the_usage_plan_has_the_limits_of_the_parameters() -> None:
    limits = {"ApiRateLimit": "7", "ApiBurstLimit": "8", "ApiDailyQuota": "9"}
    with_key = translated(**limits)
    plan = only(with_key, "AWS::ApiGateway::UsagePlan").properties
    assert plan["Throttle"] == {"RateLimit": "7", "BurstLimit": "8"}
    assert plan["Quota"] == {"Limit": "9", "Period": "DAY"}


@pytest.mark.parametrize("access", SCHEMES)
def test_all_routes_are_throttled(access: str) -> None:
    limits = {"ApiRouteRateLimit": "7", "ApiRouteBurstLimit": "8"}
    stage = only(translated(ApiAuth=access, **limits), "AWS::ApiGateway::Stage").properties
    assert stage["MethodSettings"] == [
        {
            "ResourcePath": "/*",
            "HttpMethod": "*",
            "ThrottlingRateLimit": "7",
            "ThrottlingBurstLimit": "8",
        }
    ]


def test_each_call_is_logged_with_its_caller() -> None:
    template = translated(LogRetentionDays="7")
    setting = only(template, "AWS::ApiGateway::Stage").properties["AccessLogSetting"]
    group = by_id(template, "AWS::Logs::LogGroup")["ApiAccessLogs"]
    assert setting["DestinationArn"] == (
        f"arn:aws:logs:us-east-1:123456789012:log-group:{group.name}"
    )
    assert group.properties["RetentionInDays"] == "7"
    assert "\n" not in setting["Format"]
    assert json.loads(setting["Format"]) == {
        "requestId": "$context.requestId",
        "extendedRequestId": "$context.extendedRequestId",
        "apiKeyId": "$context.identity.apiKeyId",
        "caller": "$context.identity.userArn",
        "ip": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "route": "$context.resourcePath",
        "path": "$context.path",
        "status": "$context.status",
        "latencyMs": "$context.responseLatency",
        "bytes": "$context.responseLength",
    }


def test_a_saved_query_lists_calls_and_callers() -> None:
    template = translated()
    query = by_id(template, "AWS::Logs::QueryDefinition")["WhoCalledWhatQuery"].properties
    group = by_id(template, "AWS::Logs::LogGroup")["ApiAccessLogs"]
    assert query["LogGroupNames"] == [group.name]
    fields = query["QueryString"].partition("\n")[0].removeprefix("fields ").split(", ")
    setting = only(template, "AWS::ApiGateway::Stage").properties["AccessLogSetting"]
    assert set(fields) - {"@timestamp"} <= set(json.loads(setting["Format"]))


def test_a_page_of_the_cors_origin_may_call() -> None:
    assert operations(body(translated()), preflights=True) == {}
    definition = body(translated(CorsOrigin="https://example.com"))
    preflights = operations(definition, preflights=True)
    assert {path for path, _ in preflights} == set(definition["paths"]) - OPEN
    for operation in preflights.values():
        assert "security" not in operation  # browsers ask without a key
        response = operation["x-amazon-apigateway-integration"]["responses"]["default"]
        name = "method.response.header.Access-Control-Allow-Origin"
        assert response["responseParameters"][name] == "'https://example.com'"


def test_that_page_may_read_gateway_errors() -> None:
    name = "gatewayresponse.header.Access-Control-Allow-Origin"
    for origin in ("", "https://example.com"):
        refusals = body(translated(CorsOrigin=origin))["x-amazon-apigateway-gateway-responses"]
        assert refusals
        for refusal in refusals.values():
            expected = f"'{origin}'" if origin else None
            assert refusal["responseParameters"].get(name) == expected


def test_the_document_has_the_same_routes(template: Template) -> None:
    documented, deployed = operations(DOCUMENT), operations(body(template))
    assert documented.keys() == deployed.keys()
    for route, operation in documented.items():
        assert ("security" in operation) == ("security" in deployed[route])


@pytest.mark.parametrize("origin", ["", "https://example.com"])
def test_unsupported_methods_return_405_and_the_allowed_ones(origin: str) -> None:
    definition = body(translated(CorsOrigin=origin))
    for methods in definition["paths"].values():
        refusal = methods[ANY_OTHER]
        assert "security" not in refusal
        integration = refusal["x-amazon-apigateway-integration"]
        assert (integration["type"], integration["passthroughBehavior"]) == ("mock", "never")
        assert set(integration["requestTemplates"].values()) == {'{"statusCode": 405}'}
        response = integration["responses"]["default"]
        assert response["statusCode"] == "405"
        code = json.loads(response["responseTemplates"]["application/json"])["error"]["code"]
        assert code == "method_not_allowed"
        headers = {
            name.removeprefix("method.response.header."): value.strip("'")
            for name, value in response["responseParameters"].items()
        }
        assert headers.keys() <= refusal["responses"]["405"]["headers"].keys()
        assert headers.get("Access-Control-Allow-Origin", "") == origin
        own = sorted(method.upper() for method in methods.keys() - {ANY_OTHER, "options"})
        assert headers["Allow"] == ", ".join(own)


def test_gateway_errors_have_messages_of_ours(template: Template) -> None:
    """API Gateway's own messages disclose the caller's ARN and the account."""
    refusals = body(template)["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= refusals.keys()
    for refusal in refusals.values():
        [text] = refusal["responseTemplates"].values()
        assert json.loads(text)["error"].keys() == {"code", "message"}
        assert "$" not in text
