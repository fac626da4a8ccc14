"""The error responses of AWS's services."""

import json
from http import HTTPStatus
from wsgiref.types import StartResponse
from xml.sax.saxutils import escape


def error_response(
    service: str, status: HTTPStatus, code: str, message: str, start_response: StartResponse
) -> list[bytes]:
    """Respond with an error in the format of a service.

    Parameters
    ----------
    service
        Its name in signatures, such as ``"s3"``.
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
            if service == "sqs":  # its clients read codes of the older query protocol
                headers.append(("x-amzn-query-error", f"{code};Sender"))
            body = json.dumps({"__type": code, "message": message})
    start_response(f"{status.value} {status.phrase}", headers)
    return [body.encode()]
