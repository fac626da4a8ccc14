"""Uploads by form: what S3 does with them, and moto does not.

moto takes any form. S3 takes those whose policy allows what they upload, and lets pages read its
answer if the bucket's rules do. Signatures are looked at where a page of another origin sends one.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from moto.s3.responses import S3Response

from local.emulator.browsers import is_cross_origin, is_signed_form
from local.emulator.patching import replace
from local.emulator.permissions import AccessDenied, Permissions

# Fields of a form that its policy need not name; and those that begin so.
_UNNAMED = {"policy", "x-amz-signature", "signature", "awsaccesskeyid", "file"}
_IGNORED = "x-ignore-"

_Answer = tuple[int, dict[str, str], str | bytes]


class FormRefused(Exception):
    """S3 refuses a form, with an error of this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def enforce_form_policies(permissions: Permissions, secret_key: str) -> None:
    """Make moto's S3 look at the policies of forms, and tell pages what they may read.

    Parameters
    ----------
    permissions
        What the roles may do that sign forms.
    secret_key
        What the functions sign with.
    """
    replace(S3Response, "_bucket_response_post", partial(_as_s3_does, permissions, secret_key))


def check_policy(fields: Mapping[str, str], size_bytes: int, now: datetime) -> None:
    """Check a form against its policy.

    Parameters
    ----------
    fields
        Those of the form, without the file, and the bucket.
    size_bytes
        Of the file.

    Raises
    ------
    FormRefused
        If the policy does not allow it.
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
            case ["content-length-range", least, greatest]:
                if size_bytes > greatest:
                    raise FormRefused("EntityTooLarge", f"more than {greatest} bytes")
                if size_bytes < least:
                    raise FormRefused("EntityTooSmall", f"less than {least} bytes")
            case dict():
                for name, value in condition.items():
                    named.add(name.lower())
                    if given.get(name.lower()) != value:
                        raise _not_allowed(f"Policy Condition failed: {name}")
            case _:
                raise NotImplementedError(f"a policy's condition {condition}")
    for name in sorted(given.keys() - named - _UNNAMED):
        if not name.startswith(_IGNORED):
            raise _not_allowed(f"Extra input fields: {name}")


def _not_allowed(problem: str) -> FormRefused:
    return FormRefused("AccessDenied", f"Invalid according to Policy: {problem}")


def _as_s3_does(
    permissions: Permissions, secret_key: str, original: Callable[..., _Answer]
) -> Callable[..., _Answer]:
    def post(self: Any, request: Any, bucket_name: str) -> _Answer:
        is_from_page = is_cross_origin(request.environ)
        if not request.files and not is_from_page:
            return original(self, request, bucket_name)
        fields = {**request.form, "bucket": bucket_name}
        try:
            check_policy(fields, len(self.body), datetime.now(UTC))
            if is_from_page and not is_signed_form(fields, secret_key):
                raise FormRefused("SignatureDoesNotMatch", "the form is not signed here")
            permissions.check_form(bucket_name, fields)
        except FormRefused as refused:
            answer = _refusal(refused.code, str(refused))
        except AccessDenied as denied:
            answer = _refusal("AccessDenied", str(denied))
        else:
            answer = original(self, request, bucket_name)
        status, headers, body = answer
        return status, headers | self._get_cors_headers_other(), body

    return post


def _refusal(code: str, message: str) -> _Answer:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return HTTPStatus.FORBIDDEN, {"Content-Type": "application/xml"}, error
