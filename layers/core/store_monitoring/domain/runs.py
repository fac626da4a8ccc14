"""Runs and ranges of elements of arrays, without loops.

A run is adjacent elements that belong together, such as the polls of a store. A range is the
elements from one index to before another.
"""

import numpy as np

from store_monitoring.domain.model import Bools, Int64s


def begins_run(values: Int64s | Bools) -> Bools:
    """Return which elements begin a run of equal values.

    >>> begins_run(np.array([7, 7, 8, 7])).tolist()
    [True, False, True, True]
    """
    begins = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return begins


def ends_run(begins: Bools) -> Bools:
    """Return which elements end a run, given which ones begin a run.

    >>> ends_run(np.array([True, False, True, True])).tolist()
    [False, True, True, True]
    """
    ends = np.ones(len(begins), np.bool_)
    ends[:-1] = begins[1:]
    return ends


def last_of_runs(first: Int64s, count: int) -> Int64s:
    """Return the index of each run's last element, given those of the first ones.

    >>> last_of_runs(np.array([0, 2, 3]), count=5).tolist()
    [1, 2, 4]
    """
    return np.append(first[1:], count)[: len(first)] - 1


def sum_before(values: Int64s | Bools) -> Int64s:
    """Return the sum of the values before each one, and at the end the sum of all.

    >>> sum_before(np.array([3, 9, 4])).tolist()
    [0, 3, 12, 16]
    """
    return np.append(0, np.cumsum(values))


def range_sum(values: Int64s | Bools, first: Int64s, last: Int64s) -> Int64s:
    """Return the sum of values[first:last] for each pair of bounds.

    >>> range_sum(np.array([3, 9, 4]), np.array([1, 2, 0]), np.array([3, 2, 1])).tolist()
    [13, 0, 3]
    """
    before = sum_before(values)
    return before[last] - before[first]


def range_max(values: Int64s, first: Int64s, last: Int64s) -> Int64s:
    """Return the maximum of values[first:last] for each pair of bounds; 0 for an empty range.

    >>> range_max(np.array([3, 9, 4]), np.array([1, 2, 0]), np.array([3, 2, 1])).tolist()
    [9, 0, 3]
    """
    some = np.flatnonzero(first < last)
    greatest = np.zeros_like(first)
    if len(some):
        # The maxima of the ranges, and between them those of what lies from one to the next.
        bounds = np.column_stack([first[some], last[some]]).ravel()
        greatest[some] = np.maximum.reduceat(np.append(values, 0), bounds)[::2]
    return greatest


def range_indices(first: Int64s, count: Int64s) -> tuple[Int64s, Int64s]:
    """Return all indices of the ranges, range by range.

    Parameters
    ----------
    first, count : int64 (ranges,)
        First index and number of indices of each range.

    Returns
    -------
    range : int64 (indices,)
        The range that each index is of.
    index : int64 (indices,)

    Examples
    --------
    >>> of_range, index = range_indices(np.array([5, 0]), np.array([2, 3]))
    >>> of_range.tolist(), index.tolist()
    ([0, 0, 1, 1, 1], [5, 6, 0, 1, 2])
    """
    of_range = np.repeat(np.arange(len(count)), count)
    index = np.arange(len(of_range))
    index += np.repeat(first - np.cumsum(count) + count, count)
    return of_range, index
