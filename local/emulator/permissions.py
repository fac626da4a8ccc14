"""Enforces roles: a call is denied unless the caller's role allows it.

The session token of a call names the caller's role; functions and state machines have one, as on
AWS. Callers without one, such as tests and the command line, may do everything.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug import Request
from werkzeug.test import run_wsgi_app

from local.emulator.accesses import UnknownRequestError, accesses, form_accesses
from local.emulator.policies import Access, Permission, Role
from local.emulator.service_errors import error_response
from local.emulator.settings import ACCOUNT
from local.emulator.template import Template

RECORD_VARIABLE = "LOCAL_CLOUD_PERMISSIONS"
"""Names the file to which clouds append the permissions that were used and the denials."""

_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")
_READ_ACTIONS = {"s3:GetObject", "s3:GetObjectVersion"}
_FORBIDDEN = HTTPStatus.FORBIDDEN
# How each service denies a call, and how all others do.
_DENIALS = {
    "s3": (_FORBIDDEN, "AccessDenied"),
    "sns": (_FORBIDDEN, "AuthorizationError"),
    "sqs": (_FORBIDDEN, "AccessDenied"),
    "lambda": (_FORBIDDEN, "AccessDeniedException"),
}
_DENIAL = (HTTPStatus.BAD_REQUEST, "AccessDeniedException")


class AccessDeniedError(Exception):
    """A role does not allow a call."""

    def __init__(self, caller: str, access: Access) -> None:
        super().__init__(
            f"User: {caller} is not authorized to perform: {access.action} on resource: "
            f"{access.resource} because no identity-based policy allows the {access.action} action"
        )


class Permissions:
    """The roles of a template, and a record of the permissions that were used.

    Parameters
    ----------
    template
        The template with the roles.
    record
        File to which a line of JSON is appended at the first use of each permission and at each
        denial; None keeps no record.

    Raises
    ------
    TemplateError
        If a role's policies cannot be enforced.
    """

    def __init__(self, template: Template, record: Path | None) -> None:
        self._template = str(template.path)
        self._roles = {
            role.name: Role(role.name, role.properties)
            for role in template.resources("AWS::IAM::Role")
        }
        self._record = record
        self._used: set[Permission] = set()

    def restricts(self, role_name: str) -> bool:
        """Return whether this is one of the roles."""
        return role_name in self._roles

    def check(self, role_name: str, session: str, needed: Iterable[Access]) -> None:
        """Check that a role allows a call.

        Parameters
        ----------
        role_name
            The caller's role.
        session
            Name of the role's session.
        needed
            The actions and resources of the call.

        Raises
        ------
        AccessDeniedError
            If the role does not allow one of them.
        """
        for access in needed:
            permissions = self._roles[role_name].permissions_for(access)
            if not permissions:
                self._append(Permission(role_name, access.action, access.resource), allowed=False)
                caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{session}"
                raise AccessDeniedError(caller, access)
            for permission in permissions - self._used:
                self._used.add(permission)
                self._append(permission, allowed=True)

    def check_form(self, bucket: str, fields: Mapping[str, str]) -> None:
        """Check that the role that signed a form allows the upload.

        Raises
        ------
        AccessDeniedError
            If it does not.
        """
        role_name = fields.get("x-amz-security-token", "")
        if self.restricts(role_name):
            session = fields["x-amz-credential"].partition("/")[0]
            self.check(role_name, session, form_accesses(bucket, fields["key"]))

    def record_unknown(self, role_name: str, error: UnknownRequestError) -> None:
        """Record a call that was denied because the permissions that it needs are unknown."""
        self._append(Permission(role_name, "an unknown action", str(error)), allowed=False)

    def _append(self, permission: Permission, *, allowed: bool) -> None:
        if self._record is None:
            return
        line = {
            "template": self._template,
            "role": permission.role,
            "action": permission.action,
            "resource": permission.resource,
            "allowed": allowed,
        }
        # Several clouds append to the file: each line is one write.
        with self._record.open("ab", buffering=0) as record:
            record.write(json.dumps(line).encode() + b"\n")


def record_path() -> Path | None:
    """Return the file for the record, None for no record."""
    name = os.environ.get(RECORD_VARIABLE)
    return Path(name) if name else None


class GuardedServices:
    """Checks the permissions of calls before they reach moto's services.

    Parameters
    ----------
    services
        moto's application.
    permissions
        What the callers' roles allow.
    """

    def __init__(self, services: WSGIApplication, permissions: Permissions) -> None:
        self._services = services
        self._permissions = permissions

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a call on to its service if the caller's role allows it."""
        request = Request(environ, populate_request=False)
        role_name = _signed_value(request, "X-Amz-Security-Token")
        if not self._permissions.restricts(role_name):
            return self._services(environ, start_response)
        session, _, _, service, _ = _credential(request).split("/")
        status, code = _DENIALS.get(service, _DENIAL)
        try:
            needed = accesses(service, request)
            self._permissions.check(role_name, session, needed)
            environ["wsgi.input"].seek(0)  # the body is in memory and may have been read
            if request.method not in ("GET", "HEAD") or needed[0].action not in _READ_ACTIONS:
                return self._services(environ, start_response)
            chunks, status_line, headers = run_wsgi_app(self._services, environ)
            if status_line.startswith("404"):
                # Without the permission to list a bucket, S3 returns 403 for a missing object.
                bucket, _, _ = needed[0].resource.partition("/")
                self._permissions.check(role_name, session, [Access("s3:ListBucket", bucket)])
        except AccessDeniedError as error:
            return error_response(service, status, code, str(error), start_response)
        except UnknownRequestError as error:
            self._permissions.record_unknown(role_name, error)
            message = f"the local cloud does not know which permissions {error} needs"
            return error_response(service, status, code, message, start_response)
        start_response(status_line, headers.to_wsgi_list())
        return chunks


def _credential(request: Request) -> str:
    signed = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    return signed[1] if signed else request.args["X-Amz-Credential"]


def _signed_value(request: Request, name: str) -> str:
    """Return a value from a request's headers or, if presigned, from its URL."""
    return request.headers.get(name) or request.args.get(name, "")
