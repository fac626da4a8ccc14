"""Uploads by form: what S3 does with them, and moto does not.

moto takes any form. S3 takes those whose policy allows what they upload, and lets pages read its
answer if the bucket's rules do. Signatures are looked at neither here nor elsewhere.
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

from local.patching import replace
from local.permissions import AccessDenied, Permissions

_Answer = tuple[int, dict[str, str], str | bytes]


def hold_forms_to_their_policies(permissions: Permissions) -> None:
    """Make moto's S3 look at the policies of forms, and tell pages what they may read.

    Parameters
    ----------
    permissions
        What the roles may do that sign forms.
    """
    replace(S3Response, "_bucket_response_post", partial(_as_s3_does, permissions))


def refusal(fields: Mapping[str, str], size_bytes: int, now: datetime) -> str | None:
    """Return the code of the error by which S3 refuses a form, None if it takes it.

    Parameters
    ----------
    fields
        Those of the form, without the file.
    size_bytes
        Of the file.
    """
    if "policy" not in fields:
        return "AccessDenied"
    policy = json.loads(b64decode(fields["policy"]))
    if datetime.fromisoformat(policy["expiration"]) <= now:
        return "AccessDenied"
    for condition in policy["conditions"]:
        match condition:
            case ["content-length-range", least, greatest]:
                if size_bytes > greatest:
                    return "EntityTooLarge"
                if size_bytes < least:
                    return "EntityTooSmall"
            case dict():
                if any(fields.get(name) != value for name, value in condition.items()):
                    return "AccessDenied"
            case _:
                raise NotImplementedError(f"a policy's condition {condition}")
    return None


def _as_s3_does(
    permissions: Permissions, original: Callable[..., _Answer]
) -> Callable[..., _Answer]:
    def post(self: Any, request: Any, bucket_name: str) -> _Answer:
        if not request.files:
            return original(self, request, bucket_name)
        fields = {**request.form, "bucket": bucket_name}
        code = message = refusal(fields, len(self.body), datetime.now(UTC))
        if not code:
            try:
                permissions.check_form(bucket_name, fields)
            except AccessDenied as denied:
                code, message = "AccessDenied", str(denied)
        if message:
            error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            answer: _Answer = (HTTPStatus.FORBIDDEN, {"Content-Type": "application/xml"}, error)
        else:
            answer = original(self, request, bucket_name)
        status, headers, body = answer
        return status, headers | self._get_cors_headers_other(), body

    return post
