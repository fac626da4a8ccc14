"""Store ids in requests: normalised as by ingest, and the error for unknown ones."""

import json
import re
from collections.abc import Sequence

from store_monitoring.errors import UnknownStoreError

_MAX_CHARACTERS = 255
ASCII_WHITESPACE = " \t\n\v\f\r"
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
SURROGATE = re.compile(r"[\ud800-\udfff]")
_MAX_NAMED = 100
_MAX_NAMED_BYTES = 16 * 1024  # Step Functions cuts an error's cause at 32,768 characters


def checked_store_id(text: str) -> str:
    """Return a store id as ingest stores it, without surrounding ASCII whitespace.

    >>> checked_store_id(" 42 ")
    '42'

    Raises
    ------
    ValueError
        If no store can have this id.
    """
    store_id = text.strip(ASCII_WHITESPACE)
    if SURROGATE.search(store_id):
        raise ValueError("half of a surrogate pair, which is no character")
    if not 1 <= len(store_id) <= _MAX_CHARACTERS or _NOT_PRINTABLE.search(store_id):
        raise ValueError(f"a store id has 1 to {_MAX_CHARACTERS} printable characters")
    return store_id


def unknown_stores(store_ids: Sequence[str]) -> UnknownStoreError:
    """Return the error for stores that occur in no input.

    It names the first hundred ids, fewer if they are very long, and the number of the others.

    >>> str(unknown_stores(["a", "b"]))
    "no input contains the stores 'a', 'b'"
    """
    named: list[str] = []
    size = 0
    for store_id in store_ids[:_MAX_NAMED]:
        size += len(json.dumps(repr(store_id)))  # its size in the cause of a failed execution
        if size > _MAX_NAMED_BYTES:
            break
        named.append(repr(store_id))
    more = len(store_ids) - len(named)
    rest = f" and {more:,} more" if more else ""
    noun = "store" if len(store_ids) == 1 else "stores"
    return UnknownStoreError(f"no input contains the {noun} {', '.join(named)}{rest}")
