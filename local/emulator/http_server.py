"""The HTTP server of the local cloud: keep-alive connections, each with its own thread.

werkzeug's own handler closes a connection after its first response. A report makes hundreds of
small requests, and the server would spend most of its time on connections and threads.
"""

import io
import threading
import traceback
from http import HTTPStatus
from wsgiref.types import WSGIApplication

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.datastructures import Headers
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from local.emulator.browsers import names_loopback
from local.emulator.settings import HOST

# The limit of S3 for one request.
_LARGEST_BODY_BYTES = 5 * 1024**3
_MAX_DIGITS = 20  # of a Content-Length: Python does not convert numbers of thousands of digits
_WITHOUT_CONTENT = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


def serve(application: WSGIApplication, port: int) -> int:
    """Serve an application in its own thread.

    Parameters
    ----------
    application
    port
        Port to listen on, or 0 for a free one.

    Returns
    -------
    int
        The port.
    """
    server = make_server(HOST, port, application, threaded=True, request_handler=_Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.port


class _Handler(MotoRequestHandler):
    """Serves the requests of a connection one after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, so that a response is sent in one piece

    def run_wsgi(self) -> None:
        self.wfile.flush()  # A client may wait for "100 Continue".
        self.environ = self.make_environ()
        try:
            status, headers, content = self._call_application()
        except ConnectionError:
            raise
        except _BadRequestError as error:
            status, headers, content = f"{error.status.value} {error}", Headers(), b""
            self.close_connection = True  # the end of the request is unknown
        except Exception:  # noqa: BLE001  # the outermost boundary: the server continues
            self.server.log("error", traceback.format_exc())
            status, headers, content = "500 Internal Server Error", Headers(), b""
            self.close_connection = True  # the request may not have been read to its end
        code, _, reason = status.partition(" ")
        has_content = self.command != "HEAD" and int(code) not in _WITHOUT_CONTENT
        if has_content:
            headers.setdefault("Content-Length", str(len(content)))
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if has_content:
            self.wfile.write(content)

    def _call_application(self) -> tuple[str, Headers, bytes]:
        if not names_loopback(self.environ):
            raise _BadRequestError(HTTPStatus.FORBIDDEN, "Not For This Host")
        # Always read the whole body: the next request of the connection follows it.
        body = self._body()
        environ = {
            **self.environ,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": True,
        }
        chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        return status, headers, b"".join(chunks)

    def _body(self) -> bytes:
        if self.environ.get("wsgi.input_terminated"):
            try:
                content: bytes = self.environ["wsgi.input"].read()
            except ConnectionError:
                raise
            except OSError as error:  # werkzeug raises it for invalid chunks
                raise _BadRequestError(HTTPStatus.BAD_REQUEST, "Bad Chunk") from error
            return content
        # Several headers are valid only if they are equal.
        given = ",".join(set(self.headers.get_all("Content-Length", ["0"])))
        if not (given.isascii() and given.isdigit()):
            raise _BadRequestError(HTTPStatus.BAD_REQUEST, "Bad Content-Length")
        length = int(given) if len(given) < _MAX_DIGITS else _LARGEST_BODY_BYTES + 1
        if length > _LARGEST_BODY_BYTES:
            raise _BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Body Too Large")
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client disconnected before the end of the body")
        return body


class _BadRequestError(Exception):
    """The server itself refuses a request; the message is the response's reason phrase."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
