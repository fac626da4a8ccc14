"""Amazon DynamoDB in memory: as much of boto3's client as the library uses.

Items are plain values: the library's translation to DynamoDB's types is left out. Expressions are
evaluated as written. Reads are strongly consistent; a query reads each of its pages at another
moment. A transaction locks its items until it is done: another write to them fails meanwhile.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.scheduler import Scheduler, ServiceError

Item = dict[str, Any]

_PAGE_ITEMS = 4
_INDEX_KEYS = {"by_greatest_timestamp": "greatest_us"}


class ConditionalCheckFailedException(ClientError):  # noqa: N818  # as boto3 calls it
    """A condition was not met."""


class TransactionCanceledException(ClientError):  # noqa: N818  # as boto3 calls it
    """A condition was not met, or another request uses an item."""


class _Missing:
    """An attribute that an item lacks: no comparison with it is true."""

    def _compare(self, _: object) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compare
    __hash__ = object.__hash__


MISSING = _Missing()


class DynamoDb:
    """A client of boto3.

    Parameters
    ----------
    scheduler
    keys
        The key attributes of each table.
    on_write
        Called after each write with the table, the items before it and those after it.
    """

    class exceptions:  # noqa: N801  # as boto3 calls it
        ConditionalCheckFailedException = ConditionalCheckFailedException
        TransactionCanceledException = TransactionCanceledException

    def __init__(
        self,
        scheduler: Scheduler,
        keys: Mapping[str, tuple[str, ...]],
        on_write: Callable[[str, list[tuple[Item | None, Item | None]]], object],
    ) -> None:
        self._scheduler = scheduler
        self._keys = keys
        self._on_write = on_write
        self.tables: dict[str, dict[tuple[Any, ...], Item]] = {table: {} for table in keys}
        self._locked: set[tuple[str, tuple[Any, ...]]] = set()

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> Item:  # noqa: N803  # boto3's names
        def get() -> Item:
            item = self.tables[TableName].get(self._key(TableName, Key))
            return {} if item is None else {"Item": dict(item)}

        return self._request(("GetItem", *Key.values()), get)

    def put_item(self, **request: Any) -> Item:
        return self._write("Put", request)

    def update_item(self, **request: Any) -> Item:
        return self._write("Update", request)

    def delete_item(self, **request: Any) -> Item:
        return self._write("Delete", request)

    def transact_write_items(self, *, TransactItems: list[Item]) -> Item:  # noqa: N803  # boto3's names
        [writes] = [[(kind, write) for each in TransactItems for kind, write in each.items()]]
        places = [self._place(write) for _, write in writes]
        assert len(set(places)) == len(places), "a transaction names an item twice"
        assert len(places) <= 100, "a transaction has at most 100 items"
        what = ("TransactWriteItems", *places[-1][1], "…")

        def lock() -> None:
            if self._locked.intersection(places):
                reasons = ["TransactionConflict" if p in self._locked else "None" for p in places]
                raise _cancelled(reasons)
            self._locked.update(places)

        def commit() -> Item:
            changes = [self._change(kind, write) for kind, write in writes]
            if any(each is None for each in changes):
                raise _cancelled(["None" if each else "ConditionalCheckFailed" for each in changes])
            self._apply(
                [(place[0], each) for place, each in zip(places, changes, strict=True) if each]
            )
            return {}

        self._scheduler.delay()
        lock()
        try:
            return self._request(what, commit, is_repeatable=False)
        finally:
            self._locked.difference_update(places)

    def query(self, **query: Any) -> Item:
        """Return one page."""

        def read() -> Item:
            index_key = _INDEX_KEYS.get(query.get("IndexName", ""))
            key = _condition(query["KeyConditionExpression"])
            kept = _condition(query.get("FilterExpression", ""))
            names, values = (
                query.get("ExpressionAttributeNames", {}),
                query["ExpressionAttributeValues"],
            )
            order = [*([index_key] if index_key else []), *self._keys[query["TableName"]]]

            def position(item: Item) -> tuple[Any, ...]:
                return tuple(item[name] for name in order)

            items = sorted(
                (
                    item
                    for item in self.tables[query["TableName"]].values()
                    if key(item, names, values) and (index_key is None or index_key in item)
                ),
                key=position,
                reverse=not query.get("ScanIndexForward", True),
            )
            start = query.get("ExclusiveStartKey")
            if start is not None:
                at = position(start)
                forward = query.get("ScanIndexForward", True)
                items = [i for i in items if (position(i) > at if forward else position(i) < at)]
            page = items[: query.get("Limit", _PAGE_ITEMS)]
            response: Item = {"Items": [dict(item) for item in page if kept(item, names, values)]}
            if len(page) < len(items):
                response["LastEvaluatedKey"] = {name: page[-1][name] for name in order}
            return response

        return self._request(("Query", *query["ExpressionAttributeValues"].values()), read)

    def get_paginator(self, _: str) -> "DynamoDb":
        return self

    def paginate(self, **query: Any) -> Iterator[Item]:
        page = self.query(**query)
        yield page
        while "LastEvaluatedKey" in page:
            page = self.query(**query, ExclusiveStartKey=page["LastEvaluatedKey"])
            yield page

    def _write(self, kind: str, write: Item) -> Item:
        table, _ = place = self._place(write)

        def apply() -> Item:
            if place in self._locked:
                raise _error("TransactionConflictException", ClientError)
            before = self.tables[table].get(place[1])
            change = self._change(kind, write)
            if change is None:
                error = _error("ConditionalCheckFailedException", ConditionalCheckFailedException)
                if before is not None:
                    error.response["Item"] = dict(before)
                raise error
            self._apply([(table, change)])
            return {"Attributes": dict(change[1] or {})}

        return self._request((f"{kind}Item", *place[1]), apply)

    def _request(
        self, what: tuple[object, ...], action: Callable[[], Item], *, is_repeatable: bool = True
    ) -> Item:
        try:
            return self._scheduler.request(what, action, is_repeatable=is_repeatable)
        except ServiceError:
            raise _error("ThrottlingException", ClientError) from None

    def _change(self, kind: str, write: Item) -> tuple[Item | None, Item | None] | None:
        """Return the item before and after a write; None if its condition is not met."""
        table, key = self._place(write)
        before = self.tables[table].get(key)
        names, values = (
            write.get("ExpressionAttributeNames", {}),
            write.get("ExpressionAttributeValues", {}),
        )
        if not _condition(write.get("ConditionExpression", ""))(before or {}, names, values):
            return None
        if kind == "Put":
            return before, dict(write["Item"])
        if kind == "Delete":
            return before, None
        return before, _updated(
            write["UpdateExpression"], before or dict(write["Key"]), names, values
        )

    def _apply(self, changes: list[tuple[str, tuple[Item | None, Item | None]]]) -> None:
        for table, (before, after) in changes:
            if after is not None:
                self.tables[table][self._key(table, after)] = after
            elif before is not None:
                del self.tables[table][self._key(table, before)]
        table = changes[0][0]
        self._on_write(table, [change for _, change in changes])

    def _place(self, write: Item) -> tuple[str, tuple[Any, ...]]:
        return write["TableName"], self._key(write["TableName"], _key_of(write))

    def _key(self, table: str, item: Item) -> tuple[Any, ...]:
        return tuple(item[name] for name in self._keys[table])


def _key_of(write: Item) -> Item:
    return write.get("Key") or write["Item"]


def _error(code: str, kind: type[ClientError]) -> Any:
    response: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return kind(response, "request")


def _cancelled(codes: list[str]) -> Exception:
    error = _error("TransactionCanceledException", TransactionCanceledException)
    error.response["CancellationReasons"] = [{"Code": code} for code in codes]
    return error


_TOKEN = re.compile(r"[#:]?[A-Za-z_]\w*|<>|[<>]=?|=|[(),]")
_AS_IN_PYTHON = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "=": "==", "<>": "!="}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "attribute_exists": lambda value: value is not MISSING,
    "attribute_not_exists": lambda value: value is MISSING,
    "begins_with": lambda value, prefix: value is not MISSING and value.startswith(prefix),
    "contains": lambda values, value: values is not MISSING and value in values,
    "if_not_exists": lambda value, other: other if value is MISSING else value,
}
_Expression = Callable[[Mapping[str, Any], Mapping[str, str], Mapping[str, Any]], Any]


@cache
def _condition(text: str) -> _Expression:
    """Return a function of an item, and of the expression's names and values."""
    tokens = [_token(each) for each in _TOKEN.findall(text)]
    python = " ".join(tokens) or "True"
    scope = _FUNCTIONS | {"MISSING": MISSING}
    made: _Expression = eval(f"lambda item, names, values: {python}", scope)
    return made


def _token(token: str) -> str:
    if token[0] == ":":
        return f"values['{token}']"
    if token[0] == "#":
        return f"item.get(names['{token}'], MISSING)"
    if token[0].isalpha() and token not in _AS_IN_PYTHON and token not in _FUNCTIONS:
        return f"item.get('{token}', MISSING)"
    return _AS_IN_PYTHON.get(token, token)


_CLAUSE = re.compile(r"\b(SET|REMOVE|ADD)\b")
_COMMA = re.compile(r",\s*(?![^()]*\))")


@cache
def _clauses(text: str) -> list[tuple[str, list[str]]]:
    _, *parts = _CLAUSE.split(text)
    return [
        (kind, [each.strip() for each in _COMMA.split(rest)])
        for kind, rest in zip(parts[::2], parts[1::2], strict=True)
    ]


def _updated(text: str, before: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> Item:
    after = dict(before)
    for kind, actions in _clauses(text):
        for action in actions:
            if kind == "SET":
                name, _, value = action.partition(" = ")
                after[names.get(name, name)] = _condition(value)(before, names, values)
            elif kind == "REMOVE":
                after.pop(names.get(action, action), None)
            else:
                name, value = action.split()
                after[name] = after.get(name, 0) + values[value]
    return after
