"""The HTTP server of the embedded cloud: a thread for each connection, kept alive.

werkzeug's own handler ends a connection after its first answer. A report makes hundreds of small
requests, and then most of the server's time goes to connections and threads.
"""

import io
import threading
from wsgiref.types import WSGIApplication

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from local.settings import HOST


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
        environ = self.environ = self.make_environ()
        # Whether it is of use or not, a body is read to its end: the next request comes after it.
        environ |= {"wsgi.input": io.BytesIO(self._body()), "wsgi.input_terminated": True}
        chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        content = b"".join(chunks)
        if self.command != "HEAD":
            headers.setdefault("Content-Length", str(len(content)))
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.environ.get("wsgi.input_terminated"):
            return self.environ["wsgi.input"].read()
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client has gone before its body's end")
        return body
