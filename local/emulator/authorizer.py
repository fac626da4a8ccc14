"""What API Gateway does before it calls a function: check the API key and refuse requests."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request

from local.emulator.api_keys import ApiKeys
from local.emulator.browsers import is_cross_origin
from local.emulator.lambda_service import RequestTooLargeError

PAYLOAD_LIMIT_BYTES = 10 * 1024 * 1024
_METHODS = ("delete", "get", "head", "options", "patch", "post", "put", "trace")
_ANY_METHOD = "x-amazon-apigateway-any-method"
_JSON = "application/json"


class ApiKeyAuthorizer:
    """Refuses requests as API Gateway would, according to the REST API's definition.

    Parameters
    ----------
    openapi
        The API's definition, with its references resolved.
    keys
        The valid API keys; None opens the routes that require one to every caller.
    """

    def __init__(self, openapi: Mapping[str, Any], keys: ApiKeys | None) -> None:
        self._gateway_responses = openapi.get("x-amazon-apigateway-gateway-responses", {})
        self._keys = keys
        operations = list(_operations(openapi))
        self._guarded = {
            (method, _as_rule(path))
            for path, method, operation in operations
            if operation.get("security")
        }
        self._with_key = {
            (method, _as_rule(path))
            for path, method, operation in operations
            if {"api_key": []} in operation.get("security", [])
        }
        self._mocks = [
            (path, method, operation["x-amazon-apigateway-integration"])
            for path, method, operation in operations
            if operation["x-amazon-apigateway-integration"]["type"] == "mock"
        ]

    def guard(self, app: Flask) -> None:
        """Check an application's requests before its routes, and serve the mock integrations."""
        app.before_request(self._refusal)
        app.register_error_handler(RequestTooLargeError, lambda _: self._too_large())
        for path, method, integration in self._mocks:
            app.add_url_rule(
                _as_rule(path),
                endpoint=f"{method} {path}",
                methods=[method],
                view_func=partial(self._mock_response, integration),
                provide_automatic_options=False,
            )

    def identity(self) -> dict[str, str]:
        """Return what the event of the current request says about its caller."""
        if self._keys is None or not self._requires_key():
            return {}
        given = request.headers.get("X-Api-Key", "")
        key_id = self._keys.id_of(given)
        return {} if key_id is None else {"apiKey": given, "apiKeyId": key_id}

    def _requires_key(self) -> bool:
        rule = request.url_rule
        return rule is not None and (request.method, rule.rule) in self._with_key

    def _refusal(self) -> Response | None:
        if request.url_rule is None:
            status = HTTPStatus.FORBIDDEN
            return self._refuse(
                "MISSING_AUTHENTICATION_TOKEN", status, "Missing Authentication Token"
            )
        if is_cross_origin(request.environ) and not self._allows_cross_origin():
            return self._refuse("ACCESS_DENIED", HTTPStatus.FORBIDDEN, "Forbidden")
        if self._keys is not None and self._requires_key() and not self.identity():
            return self._refuse("INVALID_API_KEY", HTTPStatus.FORBIDDEN, "Forbidden")
        if (request.content_length or 0) > PAYLOAD_LIMIT_BYTES:
            return self._too_large()
        return None

    def _mock_response(self, integration: Mapping[str, Any], **_: str) -> Response:
        """Respond as an integration of type mock does."""
        never = integration.get("passthroughBehavior") == "never"
        sent = request.mimetype or _JSON
        if never and request.content_length and sent not in integration["requestTemplates"]:
            return self._refuse(
                "UNSUPPORTED_MEDIA_TYPE",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Unsupported Media Type",
            )
        response = integration["responses"]["default"]
        body = response.get("responseTemplates", {}).get(_JSON, "")
        media_type = _JSON if body else None
        status = int(response["statusCode"])
        return Response(body, status, _headers(response), content_type=media_type)

    def _allows_cross_origin(self) -> bool:
        """Return whether pages of other origins may call: open routes, or the configured origin.

        API Gateway calls the function; only the API key stops such a page. Here there may be no
        key.
        """
        rule = request.url_rule
        if rule is None or (request.method, rule.rule) not in self._guarded:
            return True
        allowed = _headers(self._gateway_responses.get("DEFAULT_4XX", {})).get(
            "Access-Control-Allow-Origin"
        )
        return allowed == "*" or (allowed is not None and allowed == request.headers.get("Origin"))

    def _too_large(self) -> Response:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return self._refuse("REQUEST_TOO_LARGE", status, "Request Too Long")

    def _refuse(self, kind: str, status: int, message: str) -> Response:
        configured = self._gateway_responses
        response = configured.get(kind) or configured.get("DEFAULT_4XX") or {}
        template = response.get("responseTemplates", {}).get(
            _JSON, '{"message": $context.error.messageString}'
        )
        status = int(response.get("statusCode", status))
        body = template.replace("$context.error.messageString", json.dumps(message))
        return Response(body, status, _headers(response), content_type=_JSON)


def _operations(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield each operation of the definition with its path and method."""
    for path, methods in openapi["paths"].items():
        for method in _METHODS:
            operation = methods.get(method, methods.get(_ANY_METHOD))
            if operation is not None:
                yield path, method.upper(), operation


def _as_rule(path: str) -> str:
    """Return a path of the definition in Flask's syntax."""
    return path.replace("{", "<").replace("}", ">")


def _headers(response: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that the definition sets to constants."""
    return {
        name.rpartition(".")[2]: value.strip("'")
        for name, value in response.get("responseParameters", {}).items()
    }
