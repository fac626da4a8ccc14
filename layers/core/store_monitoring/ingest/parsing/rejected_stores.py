"""Find the stores that rejected rows name."""

import csv
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.ingest.parsing import values
from store_monitoring.ingest.parsing.kinds import Header


def stores_of_rejects(texts: Iterable[str], header: Header) -> pa.Table:
    r"""Return the ids of the stores in rejected lines, as far as they can be parsed.

    Returns
    -------
    table of store_id, a dictionary
        Distinct ids.

    Examples
    --------
    >>> header = Header(3, {"store_id": 0})
    >>> stores_of_rejects(["a,7,09:00", " b ,0", '"c,0,09:00', ",0,09:00"], header)[
    ...     "store_id"].to_pylist()
    ['a', 'b']
    """
    position = header.positions["store_id"]
    fields = pa.array([_field(text, position) for text in texts], pa.string())
    ids = values.store_ids(pc.ascii_trim_whitespace(fields)).cast(pa.string())
    return pa.table({"store_id": ids.drop_null().unique().dictionary_encode()})


def _field(text: str, position: int) -> str | None:
    """Return a field of a line that may have too few fields or a misplaced quote."""
    fields = _fields(text)
    if fields is None:  # the fields before the last quote may be well-formed
        fields = (_fields(text.rpartition('"')[0]) or [])[:-1]
    return fields[position] if position < len(fields) else None


def _fields(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        return None
