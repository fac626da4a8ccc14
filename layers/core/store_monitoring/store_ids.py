"""Store ids that a caller names: the form that ingest takes, and the ones that no input knows."""

import json
import re
from collections.abc import Sequence

from store_monitoring.errors import InvalidRequestError, UnknownStoreError

_CHARACTERS = 255

_ASCII_WHITESPACE = " \t\n\v\f\r"

_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f]")

_SURROGATE = re.compile(r"[\ud800-\udfff]")

_NAMED = 100

_NAMED_BYTES = 16 * 1024  # Step Functions cuts an error's cause off at 32,768 characters


def checked_store_id(text: str, field: str) -> str:
    """Return a store id as ingest stores it, without the whitespace around it.

    >>> checked_store_id(" 42 ", "store_id")
    '42'

    Raises
    ------
    InvalidRequestError
        If no store can have this id; the message begins with the name of the field.
    """
    store_id = text.strip(_ASCII_WHITESPACE)
    if _SURROGATE.search(store_id):
        raise InvalidRequestError(f"{field}: half of a surrogate pair, which is no character")
    if not 1 <= len(store_id) <= _CHARACTERS or _NOT_PRINTABLE.search(store_id):
        raise InvalidRequestError(
            f"{field}: a store id has 1 to {_CHARACTERS} printable characters"
        )
    return store_id


def unknown_stores(store_ids: Sequence[str]) -> UnknownStoreError:
    """Return the error that names stores which no input knows.

    It names the first hundred, fewer if they are very long, and says how many more there are.

    >>> str(unknown_stores(["a", "b"]))
    "no input knows the stores 'a', 'b'"
    """
    named: list[str] = []
    size = 0
    for store_id in store_ids[:_NAMED]:
        size += len(json.dumps(repr(store_id)))  # as the cause of a failed execution has it
        if size > _NAMED_BYTES:
            break
        named.append(repr(store_id))
    more = len(store_ids) - len(named)
    rest = f" and {more:,} more" if more else ""
    noun = "store" if len(store_ids) == 1 else "stores"
    return UnknownStoreError(f"no input knows the {noun} {', '.join(named)}{rest}")
