"""A cache of the results of pure functions, by equal arguments.

Worlds are small, so most of what a schedule computes has been computed before. Equal tables are
replaced by one shared table: their contents are compared once, after that its identity suffices.
"""

import io
import pickle
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pyarrow as pa

_results: list[dict[Any, Any]] = []
_tables: dict[tuple[bytes, ...], pa.Table] = {}
_numbers: dict[int, int] = {}  # of those tables, and of results, by their ids


def cached(function: Callable[..., Any]) -> Callable[..., Any]:
    """Cache the results of a pure function; an iterator is returned as a list."""
    results: dict[Any, Any] = {}
    _results.append(results)

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        arguments = tuple([_listed(each) for each in arguments])
        key = (*map(_key, arguments), *map(_key, named.items()))
        try:
            return results[key]
        except KeyError:
            result = results[key] = shared(_listed(function(*arguments, **named)))
            for each in result if type(result) is list else (result,):
                _number_by_id(each)
            return result

    return call


def clear() -> None:
    """Clear the cache: it is too large, or the library has changed."""
    for results in _results:
        results.clear()
    _tables.clear()
    _numbers.clear()


def shared(value: Any) -> Any:
    """Return an equal value whose tables are shared with all other ones."""
    kind = type(value)
    if kind is tuple or kind is list:
        return kind([shared(each) for each in value])
    if kind is not pa.Table or id(value) in _numbers:
        return value
    table = _tables.setdefault(_contents(value), value)
    _numbers.setdefault(id(table), len(_numbers))
    return table


def _number_by_id(result: Any) -> None:
    """Number a result, or the items of a tuple, by id; the cache keeps it, so ids are unique."""
    if type(result) is tuple:
        for each in result:
            _number_by_id(each)
    else:
        _numbers.setdefault(id(result), len(_numbers))


def _key(value: Any) -> Any:
    """Return what equals the key of equal values only."""
    kind = type(value)
    if kind is pa.Table:
        return _number(value)
    if kind is tuple or kind is list:
        return tuple([_key(each) for each in value])
    try:
        hash(value)
    except TypeError:
        number = _numbers.get(id(value))
        return _digest(value) if number is None else number
    return value


def _number(table: pa.Table) -> int:
    """Return the number of a table, which equal ones share."""
    return _numbers[id(shared(table))]


def _contents(table: pa.Table) -> tuple[bytes, ...]:
    parts = table.schema, *table.combine_chunks().to_batches()
    return tuple([part.serialize().to_pybytes() for part in parts])


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, pa.Table):
            return int, (_number(value),)
        if isinstance(value, pa.RecordBatch):
            return bytes, (value.serialize().to_pybytes(),)
        return NotImplemented


def _digest(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, protocol=5).dump(value)
    return file.getvalue()


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, Iterator) else value
