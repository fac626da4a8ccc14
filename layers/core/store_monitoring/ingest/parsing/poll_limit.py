"""A limit on the polls of one store in a file; it bounds the memory of a report."""

import numpy as np
import pyarrow as pa

from store_monitoring.domain.model import Int64s

MAX_POLLS_PER_STORE = 1_000_000
"""One poll per second for eleven days, or one per minute for two years."""


class PollLimit:
    """Counts a file's polls per store, and finds those beyond the limit.

    Stores are counted by a 64-bit hash, in 16 bytes each, since a file can have very many. Two
    stores with the same hash and a million polls are very unlikely.
    """

    def __init__(self) -> None:
        self._hash = np.empty(0, np.int64)  # ascending
        self._count = np.empty(0, np.int64)

    def excess(self, store_ids: pa.DictionaryArray) -> Int64s:
        """Count more polls; return the indices of those beyond the limit."""
        store: Int64s = store_ids.indices.to_numpy()
        count = np.bincount(store, minlength=len(store_ids.dictionary))
        before = self._add(store_ids.dictionary.to_pylist(), count)
        if (before + count).max(initial=0) <= MAX_POLLS_PER_STORE:
            return np.empty(0, np.int64)
        order = np.argsort(store, kind="stable")
        first = np.cumsum(count) - count
        nth = np.empty_like(order)
        nth[order] = np.arange(len(order)) - first[store[order]]
        return np.flatnonzero(before[store] + nth >= MAX_POLLS_PER_STORE)

    def _add(self, store_ids: list[str], count: Int64s) -> Int64s:
        """Add to the counts of distinct stores; return the previous counts."""
        key = np.array([hash(store_id) for store_id in store_ids], np.int64)
        index = np.searchsorted(self._hash, key)
        known = np.append(self._hash, 0)[index] == key
        known &= index < len(self._hash)
        before = np.where(known, np.append(self._count, 0)[index], 0)
        self._count[index[known]] += count[known]
        if not known.all():
            keys = np.append(self._hash, key[~known])
            order = np.argsort(keys)
            self._hash = keys[order]
            self._count = np.append(self._count, count[~known])[order]
        return before
