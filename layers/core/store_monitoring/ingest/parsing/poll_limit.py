"""How many polls of one store a file may have: what bounds the memory of a report."""

import numpy as np
import pyarrow as pa

from store_monitoring.domain.model import Int64s

MOST_POLLS_OF_STORE = 1_000_000

"""A poll a second for eleven days, or a poll a minute for two years."""


class PollLimit:
    """Counts a file's polls store by store, and finds those beyond the limit.

    Stores are counted by hash, in 16 bytes each: a file can have very many. That two of them have
    the same hash of 64 bits, and a million polls, is not to be expected.
    """

    def __init__(self) -> None:
        self._hash = np.empty(0, np.int64)  # ascending
        self._count = np.empty(0, np.int64)

    def excess(self, store_ids: pa.DictionaryArray) -> Int64s:
        """Count some polls more; return the indices of those that are too many."""
        store: Int64s = store_ids.indices.to_numpy()
        count = np.bincount(store, minlength=len(store_ids.dictionary))
        before = self._add(store_ids.dictionary.to_pylist(), count)
        if (before + count).max(initial=0) <= MOST_POLLS_OF_STORE:
            return np.empty(0, np.int64)
        order = np.argsort(store, kind="stable")
        first = np.cumsum(count) - count
        nth = np.empty_like(order)
        nth[order] = np.arange(len(order)) - first[store[order]]
        return np.flatnonzero(before[store] + nth >= MOST_POLLS_OF_STORE)

    def _add(self, store_ids: list[str], count: Int64s) -> Int64s:
        """Add to the counts of distinct stores; return what they were before."""
        key = np.array([hash(store_id) for store_id in store_ids], np.int64)
        place = np.searchsorted(self._hash, key)
        known = np.append(self._hash, 0)[place] == key
        known &= place < len(self._hash)
        before = np.where(known, np.append(self._count, 0)[place], 0)
        self._count[place[known]] += count[known]
        if not known.all():
            keys = np.append(self._hash, key[~known])
            order = np.argsort(keys)
            self._hash = keys[order]
            self._count = np.append(self._count, count[~known])[order]
        return before
