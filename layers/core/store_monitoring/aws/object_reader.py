"""Objects in S3, each read whole by one request.

Before it reads an object, Arrow's client requests its size, and over TLS it loads all certificates
for each connection. This reader takes a third of the processor time, and one round trip instead of
two (docs/decisions/0014-read-small-objects-in-one-request.md). If anything is unusual it gives up:
Arrow retries requests, refreshes credentials, and says what is wrong.
"""

import os
import ssl
import time
from collections import deque
from collections.abc import Mapping
from functools import lru_cache, partial
from hashlib import sha256
from hmac import digest
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlsplit

_TIMEOUT_SECONDS = 3  # for a connection, and for more bytes of a response
_ATTEMPTS = 2  # S3 closes idle connections
_NO_BODY = sha256().hexdigest()


class ObjectReader:
    """Reads objects of one bucket; several threads may use it at once.

    The endpoint, the region and the credentials are read from the environment, as Lambda sets it.
    With SnapStart, Lambda does not set credentials, and nothing is read.

    Parameters
    ----------
    bucket : str
    """

    def __init__(self, bucket: str, environment: Mapping[str, str] = os.environ) -> None:
        self._region = environment.get("AWS_REGION", "")
        self._key_id = environment.get("AWS_ACCESS_KEY_ID", "")
        self._secret = environment.get("AWS_SECRET_ACCESS_KEY", "")
        self._session_token = environment.get("AWS_SESSION_TOKEN", "")
        domain = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        override = environment.get("AWS_ENDPOINT_URL")
        endpoint = urlsplit(override or f"https://{bucket}.s3.{self._region}.{domain}")
        self._host = endpoint.netloc
        self._folder = f"/{bucket}/" if override else "/"
        self._connect = partial(HTTPConnection, self._host, timeout=_TIMEOUT_SECONDS)
        if endpoint.scheme == "https":
            self._connect = partial(
                HTTPSConnection,
                self._host,
                timeout=_TIMEOUT_SECONDS,
                context=ssl.create_default_context(),
            )
        self._idle: deque[HTTPConnection] = deque()

    def read(self, key: str) -> bytes | None:
        """Return an object's content; None if one request was not enough, for whatever reason."""
        if not (self._region and self._key_id and self._secret):
            return None
        path = quote(self._folder + key)
        headers = self._signed_headers(path, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        for _ in range(_ATTEMPTS):
            try:
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, HTTPException):
                connection.close()  # the next request opens it again
            else:
                self._idle.append(connection)
                return content if response.status == HTTPStatus.OK else None
        return None

    def _signed_headers(self, path: str, instant: str) -> dict[str, str]:
        """Return the headers of a request, signed with Signature Version 4.

        Its steps and their names are those of AWS's documentation, "Create a signed AWS API
        request".
        """
        headers = {"host": self._host, "x-amz-content-sha256": _NO_BODY, "x-amz-date": instant}
        if self._session_token:
            headers["x-amz-security-token"] = self._session_token
        names = ";".join(headers)  # ascending
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        canonical_request = f"GET\n{path}\n\n{lines}\n{names}\n{_NO_BODY}"
        scope = f"{instant[:8]}/{self._region}/s3/aws4_request"
        hashed = sha256(canonical_request.encode()).hexdigest()
        string_to_sign = f"AWS4-HMAC-SHA256\n{instant}\n{scope}\n{hashed}"
        signature = _hmac(_signing_key(self._secret, scope), string_to_sign).hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._key_id}/{scope},"
            f" SignedHeaders={names}, Signature={signature}"
        )
        return headers


@lru_cache(maxsize=1)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return digest(key, text.encode(), "sha256")
