"""Page tokens: the position after a page of a list, as URL-safe text."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,8000}={0,2}")


def to_token(position: Sequence[str | int]) -> str:
    """Return a position as a token.

    >>> to_token(["2024-10-15", 7])
    'WyIyMDI0LTEwLTE1IiwgN10='
    """
    return urlsafe_b64encode(json.dumps(list(position)).encode()).decode()


def from_token(token: str) -> list[object]:
    """Return the position of a token, whose values may be anything: the caller checks them.

    Raises
    ------
    ValueError
        If `to_token` cannot have returned the token.
    """
    try:
        position = json.loads(urlsafe_b64decode(token)) if _TOKEN.fullmatch(token) else None
    except (ValueError, RecursionError):
        position = None
    if not isinstance(position, list) or to_token(position) != token:
        raise invalid_token()
    return position


def invalid_token() -> ValueError:
    """Return the error for a token that its call has not returned."""
    return ValueError("not a next_page_token that this call returned")
