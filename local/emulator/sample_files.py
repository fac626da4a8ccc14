"""Files to try the system with: the console offers them while there is no report."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Response

_PATH = "/local/sample"


def with_sample_files(app: WSGIApplication, files: Mapping[str, Path]) -> WSGIApplication:
    """Serve files beside an API.

    Parameters
    ----------
    app : WSGI application
        The API.
    files : dict of str to Path
        Each with the key to upload it under: `GET /local/sample` returns the keys, and
        `GET /local/sample/{key}` a file.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path != _PATH and not path.startswith(f"{_PATH}/"):
            return app(environ, start_response)
        key = path.removeprefix(f"{_PATH}/")
        if path == _PATH:
            response = Response(json.dumps(list(files)), mimetype="application/json")
        elif key in files:
            response = Response(files[key].read_bytes(), mimetype="text/csv")
        else:
            response = Response(status=HTTPStatus.NOT_FOUND)
        return response(environ, start_response)

    return application
