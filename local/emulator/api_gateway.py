"""API Gateway: SAM CLI's own local service, the one behind ``sam local start-api``.

It builds the proxy events and reads the proxy responses. This module gives it the routes of the
deployed API and a way to run functions.
"""

import gzip
import io
import json
import logging
import os
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import g
from samcli.commands.local.lib.swagger.parser import SwaggerParser
from samcli.lib.providers.provider import Api
from samcli.lib.utils.stream_writer import StreamWriter
from samcli.local.apigw.local_apigw_service import LocalApigwService
from werkzeug.test import run_wsgi_app

from local.emulator.access_log import AccessLog
from local.emulator.api_keys import ApiKeys
from local.emulator.authorizer import PAYLOAD_LIMIT_BYTES, ApiKeyAuthorizer
from local.emulator.execution_environment import InvocationResult
from local.emulator.http_server import serve
from local.emulator.sample_files import with_sample_files
from local.emulator.settings import HOST


def start_api(
    openapi: Mapping[str, Any],
    invoke: Callable[[str, bytes], InvocationResult],
    port: int,
    keys: ApiKeys | None,
    access_log: tuple[str, Path] | None,
    minimum_compression_bytes: int | None,
    sample: Mapping[str, Path],
) -> str:
    """Serve a REST API in its own thread.

    Parameters
    ----------
    openapi
        The API's definition, with its references resolved.
    invoke
        Runs a function, by name, with an event.
    port
        Port to listen on, or 0 for a free one.
    keys
        The valid API keys; None opens the routes that require one to every caller.
    access_log
        The format of the access log's lines, and its file; None writes no log.
    minimum_compression_bytes
        From which size on responses are compressed for clients that accept it; None: never.
    sample
        Files that the console offers to upload, by key.

    Returns
    -------
    str
        The address of the API.
    """
    os.environ["SAM_CLI_TELEMETRY"] = "0"
    logging.getLogger("samcli").setLevel(logging.CRITICAL)
    definition = SwaggerParser(stack_path="", swagger=openapi)
    api = Api(definition.get_routes())
    api.binary_media_types_set = set(definition.get_binary_media_types())
    authorizer = ApiKeyAuthorizer(openapi, keys)
    service = LocalApigwService(api, _Runner(invoke, authorizer), port=port, host=HOST)
    service.create()
    if access_log is not None:
        AccessLog(*access_log, authorizer.identity).record(service._app)
    authorizer.guard(service._app)
    for rule in service._app.url_map.iter_rules():
        # Flask adds HEAD to every GET; API Gateway does not.
        if rule.methods is not None and "GET" in rule.methods:
            rule.methods.discard("HEAD")
    application = _with_raw_paths(
        _with_text_bodies(service._app.wsgi_app, api.binary_media_types_set)
    )
    if minimum_compression_bytes is not None:
        application = _with_compression(application, minimum_compression_bytes)
    service.port = serve(with_sample_files(application, sample), port)
    return f"http://{HOST}:{service.port}"


def _with_text_bodies(app: WSGIApplication, binary_media_types: Container[str]) -> WSGIApplication:
    """Pass bodies on as text, as API Gateway does: U+FFFD replaces what is not UTF-8."""

    def with_text_body(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        media_type, _, _ = environ.get("CONTENT_TYPE", "").partition(";")
        if length <= PAYLOAD_LIMIT_BYTES and media_type not in binary_media_types:
            body = environ["wsgi.input"].read(length).decode(errors="replace").encode()
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return app(environ, start_response)

    return with_text_body


def _with_raw_paths(app: WSGIApplication) -> WSGIApplication:
    """Pass paths on without decoding them: WSGI decodes paths, API Gateway does not.

    So a `%2F` is part of a path parameter and does not end it.
    """

    def with_raw_path(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, _, _ = environ["RAW_URI"].partition("?")
        return app(environ | {"PATH_INFO": path}, start_response)

    return with_raw_path


def _with_compression(app: WSGIApplication, minimum_bytes: int) -> WSGIApplication:
    """Compress responses for clients that accept gzip."""

    def with_compression(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        parts, status, headers = run_wsgi_app(app, environ, buffered=True)
        content = b"".join(parts)
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "") and len(content) >= minimum_bytes:
            content = gzip.compress(content)
            headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(content))
        start_response(status, list(headers))
        return [content]

    return with_compression


class _Runner:
    """The function runner that SAM CLI's service calls."""

    def __init__(
        self, invoke: Callable[[str, bytes], InvocationResult], authorizer: ApiKeyAuthorizer
    ) -> None:
        self._invoke = invoke
        self._authorizer = authorizer

    def is_debugging(self) -> bool:
        return False

    def invoke(self, function: str, event: str, stdout: StreamWriter, **_: Any) -> None:
        proxy_event = json.loads(event)
        proxy_event["requestContext"]["identity"].update(self._authorizer.identity())
        g.request_id = proxy_event["requestContext"]["requestId"]
        result = self._invoke(function, json.dumps(proxy_event).encode())
        if not result.failed:
            # Without output the service responds with 502, as API Gateway does after an error.
            stdout.write_str(result.payload.decode())
