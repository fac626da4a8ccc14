"""What API Gateway does before it calls a function: know the caller, and refuse."""

import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request

_API_KEY_ID = "embedded"
_PAYLOAD_LIMIT_BYTES = 10 * 1024 * 1024
_METHODS = {"delete", "get", "head", "options", "patch", "post", "put"}


class Gate:
    """Refuses requests as a REST API's definition says.

    Parameters
    ----------
    openapi
        The API's definition, with its references resolved.
    api_key
        The key that opens the routes that ask for one; None opens them to all.
    """

    def __init__(self, openapi: Mapping[str, Any], api_key: str | None) -> None:
        self._answers = openapi.get("x-amazon-apigateway-gateway-responses", {})
        self._api_key = api_key
        self._with_key = {
            (method.upper(), path.replace("{", "<").replace("}", ">"))
            for path, methods in openapi["paths"].items()
            for method, operation in methods.items()
            if method in _METHODS and {"api_key": []} in operation.get("security", [])
        }

    def guard(self, app: Flask) -> None:
        """Stand before an application's routes."""
        app.before_request(self._refusal)

    def identity(self) -> dict[str, str]:
        """Return what the function of the current request is told of its caller."""
        if self._api_key is None or not self._asks_for_key():
            return {}
        return {"apiKey": self._api_key, "apiKeyId": _API_KEY_ID}

    def _asks_for_key(self) -> bool:
        rule = request.url_rule
        return rule is not None and (request.method, rule.rule) in self._with_key

    def _refusal(self) -> Response | None:
        if request.url_rule is None:
            status = HTTPStatus.FORBIDDEN
            return self._refuse(
                "MISSING_AUTHENTICATION_TOKEN", status, "Missing Authentication Token"
            )
        if self._api_key is not None and self._asks_for_key():
            given = request.headers.get("X-Api-Key", "")
            if not hmac.compare_digest(given.encode(), self._api_key.encode()):
                return self._refuse("INVALID_API_KEY", HTTPStatus.FORBIDDEN, "Forbidden")
        if (request.content_length or 0) > _PAYLOAD_LIMIT_BYTES:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return self._refuse("REQUEST_TOO_LARGE", status, "Request Too Long")
        return None

    def _refuse(self, kind: str, status: HTTPStatus, message: str) -> Response:
        answer = self._answers.get(kind) or self._answers.get("DEFAULT_4XX") or {}
        template = answer.get("responseTemplates", {}).get(
            "application/json", '{"message": $context.error.messageString}'
        )
        headers = {
            name.removeprefix("gatewayresponse.header."): value.strip("'")
            for name, value in answer.get("responseParameters", {}).items()
        }
        body = template.replace("$context.error.messageString", json.dumps(message))
        return Response(body, status, headers, content_type="application/json")
