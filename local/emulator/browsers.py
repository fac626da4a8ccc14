"""Protects the local cloud from web pages.

A browser lets any page send requests to loopback, even if the page cannot read the responses. So a
page that a developer visits could delete the local cloud's data. Headers that browsers add show
which requests come from a page of another origin.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.s3.models import s3_backends

from local.emulator.service_errors import error_response
from local.emulator.settings import ACCOUNT

# Names by which a browser reaches loopback. Another name means DNS rebinding: a page that made its
# own name resolve to this machine.
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


def names_loopback(environ: Mapping[str, Any]) -> bool:
    """Return whether a request's host is loopback; browsers always send a host."""
    host = environ.get("HTTP_HOST")
    return host is None or _LOOPBACK.fullmatch(host) is not None


def is_cross_origin(environ: Mapping[str, Any]) -> bool:
    """Return whether a page of another origin makes a request.

    >>> is_cross_origin({"HTTP_HOST": "127.0.0.1:3000"})  # curl
    False
    >>> is_cross_origin({"HTTP_HOST": "127.0.0.1:3000", "HTTP_ORIGIN": "https://example.com"})
    True
    """
    origin = environ.get("HTTP_ORIGIN")
    return environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site") or (
        origin is not None and origin != f"http://{environ.get('HTTP_HOST')}"
    )


class CrossOriginGuard:
    """Lets pages of other origins use only presigned URLs and signed upload forms.

    The signature of a form is checked where the form is read (`local.emulator.upload_forms`).

    Parameters
    ----------
    services
        The application that serves AWS's services.
    secret_key
        The secret key of the functions. No page knows it.
    """

    def __init__(self, services: WSGIApplication, secret_key: str) -> None:
        self._services = services
        self._secret_key = secret_key

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on or refuse it."""
        if not is_cross_origin(environ) or self._is_allowed(environ):
            return self._services(environ, start_response)
        message = "Pages of other origins need a signed form or a presigned URL"
        status = HTTPStatus.FORBIDDEN
        return error_response("s3", status, "AccessDenied", message, start_response)

    def _is_allowed(self, environ: WSGIEnvironment) -> bool:
        if "HTTP_AUTHORIZATION" in environ or "HTTP_X_AMZ_TARGET" in environ:
            return False
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        # moto routes some paths to other services by their first part, but never a bucket's name.
        if bucket not in s3_backends[ACCOUNT]["aws"].buckets:
            return False
        match environ["REQUEST_METHOD"]:
            case "OPTIONS":
                return True  # the bucket's CORS rules decide
            case "POST":
                is_form = environ.get("CONTENT_TYPE", "").startswith("multipart/form-data")
                return is_form and not key and not environ.get("QUERY_STRING")
            case "GET" | "HEAD" | "PUT":
                return is_presigned(environ, self._secret_key, datetime.now(UTC))
            case _:
                return False


def is_presigned(environ: Mapping[str, Any], secret_key: str, now: datetime) -> bool:
    """Return whether a request uses a valid presigned URL (Signature Version 4)."""
    path, _, query = environ["RAW_URI"].partition("?")
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    try:
        signature = fields["X-Amz-Signature"]
        scope = fields["X-Amz-Credential"].partition("/")[2]
        date = datetime.strptime(fields["X-Amz-Date"], _DATE_FORMAT).replace(tzinfo=UTC)
        expires = timedelta(seconds=int(fields["X-Amz-Expires"]))
        signed_headers = fields["X-Amz-SignedHeaders"]
        key = _signing_key(scope, secret_key)
    except (KeyError, ValueError, OverflowError):
        return False
    signed = sorted(each for each in query.split("&") if not each.startswith("X-Amz-Signature="))
    headers = [f"{name}:{_header(environ, name)}\n" for name in signed_headers.split(";")]
    request = "\n".join(
        [
            *(environ["REQUEST_METHOD"], path, "&".join(signed)),
            *("".join(headers), signed_headers, "UNSIGNED-PAYLOAD"),
        ]
    )
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{fields['X-Amz-Date']}\n{scope}\n{digest}"
    return date <= now <= date + expires and _equal(_hmac(key, text).hex(), signature)


def is_signed_form(fields: Mapping[str, str], secret_key: str) -> bool:
    """Return whether a form's policy has a valid signature (Signature Version 4)."""
    try:
        _, _, scope = fields["x-amz-credential"].partition("/")
        key = _signing_key(scope, secret_key)
        return _equal(_hmac(key, fields["policy"]).hex(), fields["x-amz-signature"])
    except (KeyError, ValueError):
        return False


def _signing_key(scope: str, secret_key: str) -> bytes:
    """Derive the signing key of a credential scope.

    Raises
    ------
    ValueError
        If the scope is not one of S3.
    """
    date, region, service, ending = scope.split("/")
    if (service, ending) != ("s3", "aws4_request"):
        raise ValueError("not a scope of S3")
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, ending):
        key = _hmac(key, part)
    return key


def _header(environ: Mapping[str, Any], name: str) -> str:
    value: str = environ.get(f"HTTP_{name.upper().replace('-', '_')}", "")
    return " ".join(value.split())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _equal(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())
