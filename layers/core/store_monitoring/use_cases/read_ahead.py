"""Reading what comes next while we work on what is here."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Read = TypeVar("_Read")


def read_ahead(
    read: Callable[[_Item], _Read], items: Iterable[_Item], ahead: int
) -> Iterator[_Read]:
    """Yield what `read` returns for each item, in order; at most `ahead` more are at hand.

    >>> list(read_ahead(str.upper, "abc", ahead=2))
    ['A', 'B', 'C']
    """
    with ThreadPoolExecutor(ahead) as pool:
        reading: deque[Future[_Read]] = deque()
        for item in items:
            reading.append(pool.submit(read, item))
            if len(reading) > ahead:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()
