"""Idempotency keys: they identify repeated requests."""

import hashlib
import json
from dataclasses import dataclass
from typing import Self

from store_monitoring.reports.request import ReportRequest


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key and its request, as digests.

    Attributes
    ----------
    digest : str
        Digest of the caller and the key, so callers cannot use each other's keys.
    request_digest : str
        Digest of the parsed request; white space and the order of fields do not matter.
    """

    digest: str
    request_digest: str

    @classmethod
    def of(cls, caller: str, key: str, request: ReportRequest) -> Self:
        """Return the digests of a caller's key and its request."""
        return cls(_digest([caller, key]), _digest(request.to_json()))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
