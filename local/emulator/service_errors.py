"""How AWS's services say that they have refused a call."""

import json
from http import HTTPStatus
from wsgiref.types import StartResponse
from xml.sax.saxutils import escape


def error_response(
    service: str, status: HTTPStatus, code: str, message: str, start_response: StartResponse
) -> list[bytes]:
    """Answer a request with an error, in the form of a service.

    Parameters
    ----------
    service
        As in a signature, such as ``"s3"``.
    """
    headers = [("x-amzn-ErrorType", code), ("x-amzn-RequestId", "local")]
    details = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    match service:
        case "s3":
            headers.append(("Content-Type", "application/xml"))
            body = f"<Error>{details}</Error>"
        case "sns":
            headers.append(("Content-Type", "text/xml"))
            body = f"<ErrorResponse><Error><Type>Sender</Type>{details}</Error></ErrorResponse>"
        case _:
            headers.append(("Content-Type", "application/json"))
            if service == "sqs":  # whose clients know the codes of its older protocol
                headers.append(("x-amzn-query-error", f"{code};Sender"))
            body = json.dumps({"__type": code, "message": message})
    start_response(f"{status.value} {status.phrase}", headers)
    return [body.encode()]
