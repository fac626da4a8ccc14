"""Idempotency keys: a request sent again is known as the same request."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Self

from store_monitoring.errors import InvalidRequestError
from store_monitoring.reports.request import ReportRequest

_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key and the request that it came with, as digests.

    Attributes
    ----------
    digest : str
        Of the caller and the key: two callers' equal keys are two keys.
    request_digest : str
        Of the request as it is understood: spaces and the order of fields say nothing.
    """

    digest: str
    request_digest: str

    @classmethod
    def of(cls, caller: str, key: str, request: ReportRequest) -> Self:
        """Return what is kept of a caller's key.

        Raises
        ------
        InvalidRequestError
            If the key is not of the form that we take.
        """
        if not _KEY.fullmatch(key):
            raise InvalidRequestError("Idempotency-Key: not 1 to 255 visible ASCII characters")
        return cls(_digest([caller, key]), _digest(request.to_json()))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
