"""The access log of the API: one line for each request, in the stage's format."""

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask import Flask, Response, g, request

_VARIABLE = re.compile(r"\$context\.([\w.]+)")
_UNKNOWN = "-"


class AccessLog:
    """Writes a line for each request to a file.

    Parameters
    ----------
    line_format
        The format, with API Gateway's `$context` variables.
    path
        The file.
    identity
        Returns what is known about the current request's caller.
    """

    def __init__(
        self, line_format: str, path: Path, identity: Callable[[], Mapping[str, str]]
    ) -> None:
        self._format = line_format
        self._path = path
        self._identity = identity

    def record(self, app: Flask) -> None:
        """Start logging an application's requests."""
        app.before_request(self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        g.started_at = time.monotonic()
        g.request_id = str(uuid4())

    def _end(self, response: Response) -> Response:
        line = _VARIABLE.sub(lambda match: self._value(match[1], response), self._format)
        with self._path.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")
        return response

    def _value(self, variable: str, response: Response) -> str:
        rule = request.url_rule
        values: dict[str, Any] = {
            "requestId": g.request_id,
            "extendedRequestId": g.request_id,
            "identity.apiKeyId": self._identity().get("apiKeyId"),
            "identity.sourceIp": request.remote_addr,
            "httpMethod": request.method,
            "resourcePath": None if rule is None else re.sub("<([^>]*)>", r"{\1}", rule.rule),
            "path": request.environ["RAW_URI"].partition("?")[0],
            "status": response.status_code,
            "responseLatency": round(1000 * (time.monotonic() - g.started_at)),
            "responseLength": response.content_length,
        }
        value = values.get(variable)
        return _UNKNOWN if value is None else json.dumps(str(value))[1:-1]
