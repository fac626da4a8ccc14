"""The HTTP server of the embedded cloud: a thread for each connection, kept alive.

werkzeug's own handler ends a connection after its first answer. A report makes hundreds of small
requests, and then most of the server's time goes to connections and threads.
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

from local.settings import HOST

_WITHOUT_CONTENT = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


def serve(application: WSGIApplication, port: int) -> int:
    """Serve an application in a thread of its own.

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
    """Answers one request of a connection after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves whole

    def run_wsgi(self) -> None:
        self.wfile.flush()  # A client may wait to be told to go on.
        self.environ = self.make_environ()
        try:
            status, headers, content = self._ask_application()
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001  # the outermost boundary: the server goes on
            self.server.log("error", traceback.format_exc())
            status, headers, content = "500 Internal Server Error", Headers(), b""
            self.close_connection = True  # perhaps within the request
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

    def _ask_application(self) -> tuple[str, Headers, bytes]:
        # Whether it is of use or not, a body is read to its end: the next request comes after it.
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
            content: bytes = self.environ["wsgi.input"].read()
            return content
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client has gone before its body's end")
        return body
