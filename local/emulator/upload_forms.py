"""Uploads by form (presigned POST): the checks of S3 that moto does not have.

moto accepts any form. S3 accepts an upload only if the form's policy allows it, and lets pages read
the response if the bucket's CORS rules do. Signatures are checked only for requests of pages of
other origins.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from moto.s3.responses import S3Response

from local.emulator.browsers import is_cross_origin, is_signed_form
from local.emulator.patching import patch
from local.emulator.permissions import AccessDeniedError, Permissions

# Fields that a policy need not name, and the prefix of others.
_UNCHECKED = {"policy", "x-amz-signature", "signature", "awsaccesskeyid", "file"}
_UNCHECKED_PREFIX = "x-ignore-"

_Response = tuple[int, dict[str, str], str | bytes]


class FormRefusedError(Exception):
    """S3 refuses a form with an error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def enforce_form_policies(permissions: Permissions, secret_key: str) -> None:
    """Make moto's S3 check the policies of forms, and add CORS headers to its responses.

    Parameters
    ----------
    permissions
        What the roles that sign forms allow.
    secret_key
        The secret key of the functions.
    """

    @patch(S3Response, "_bucket_response_post")
    def post(
        original: Callable[..., _Response], self: S3Response, request: Any, bucket_name: str
    ) -> _Response:
        is_from_page = is_cross_origin(request.environ)
        if not request.files and not is_from_page:
            return original(self, request, bucket_name)
        fields = {**request.form, "bucket": bucket_name}
        try:
            check_policy(fields, len(self.body), datetime.now(UTC))
            if is_from_page and not is_signed_form(fields, secret_key):
                raise FormRefusedError("SignatureDoesNotMatch", "the form has no valid signature")
            permissions.check_form(bucket_name, fields)
        except FormRefusedError as refused:
            response = _refusal(refused.code, str(refused))
        except AccessDeniedError as denied:
            response = _refusal("AccessDenied", str(denied))
        else:
            response = original(self, request, bucket_name)
        status, headers, body = response
        return status, headers | self._get_cors_headers_other(), body


def check_policy(fields: Mapping[str, str], size_bytes: int, now: datetime) -> None:
    """Check a form against its policy.

    Parameters
    ----------
    fields
        The fields of the form without the file, and the bucket.
    size_bytes
        The size of the file.

    Raises
    ------
    FormRefusedError
        If the policy does not allow the upload.
    """
    given = {name.lower(): value for name, value in fields.items()}
    if "policy" not in given:
        raise _not_allowed("there is no policy")
    policy = json.loads(b64decode(given["policy"]))
    if datetime.fromisoformat(policy["expiration"]) <= now:
        raise _not_allowed("Policy expired.")
    named = set()
    for condition in policy["conditions"]:
        match condition:
            case ["content-length-range", minimum, maximum]:
                if size_bytes > maximum:
                    raise FormRefusedError("EntityTooLarge", f"more than {maximum} bytes")
                if size_bytes < minimum:
                    raise FormRefusedError("EntityTooSmall", f"less than {minimum} bytes")
            case dict():
                for name, value in condition.items():
                    named.add(name.lower())
                    if given.get(name.lower()) != value:
                        raise _not_allowed(f"Policy Condition failed: {name}")
            case _:
                raise NotImplementedError(f"the policy condition {condition}")
    for name in sorted(given.keys() - named - _UNCHECKED):
        if not name.startswith(_UNCHECKED_PREFIX):
            raise _not_allowed(f"Extra input fields: {name}")


def _not_allowed(problem: str) -> FormRefusedError:
    return FormRefusedError("AccessDenied", f"Invalid according to Policy: {problem}")


def _refusal(code: str, message: str) -> _Response:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return HTTPStatus.FORBIDDEN, {"Content-Type": "application/xml"}, error
