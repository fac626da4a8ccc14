"""Targets and lost revenue (rule 22), of all stores at once in exact decimals."""

from decimal import Decimal
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from store_monitoring.domain.parameters import HOUR_US

_WHOLE_US = pa.decimal128(19, 0)  # holds every int64
_PERCENT = pa.decimal128(7, 4)


class TargetStatus(StrEnum):
    """Whether a store met its target in a window."""

    MET = "met"
    MISSED = "missed"
    NO_DATA = "no data"


def budget_us(known_us: pa.Array, target_percent: pa.Array) -> pa.Array:
    """Return the downtime that targets allow, in exact fractions of a microsecond.

    Parameters
    ----------
    known_us : int64 (stores,)
        Uptime + downtime.
    target_percent : decimal128(7, 4) (stores,)

    Returns
    -------
    decimal (stores,)

    Examples
    --------
    A hundredth of 1,250 microseconds:

    >>> str(budget_us(pa.array([1250]), pa.array([Decimal("99")], _PERCENT))[0].as_py())
    '12.50000000'
    """
    allowed_percent = pc.subtract(pa.scalar(Decimal(100), _PERCENT), target_percent)
    allowed_share = pc.divide(allowed_percent, pa.scalar(Decimal(100), pa.decimal128(3, 0)))
    return pc.multiply(known_us.cast(_WHOLE_US), allowed_share)


def target_status(downtime_us: pa.Array, known_us: pa.Array, budget_us: pa.Array) -> pa.Array:
    """Return the `TargetStatus` of each store: missed if its downtime exceeds its budget.

    >>> budgets_us = pa.array([Decimal("12.5"), Decimal("12.5"), Decimal(0)])
    >>> target_status(pa.array([12, 13, 0]), pa.array([1250, 1250, 0]), budgets_us).to_pylist()
    ['met', 'missed', 'no data']
    """
    met = pc.less_equal(downtime_us.cast(_WHOLE_US), budget_us)
    status = pc.if_else(met, TargetStatus.MET.value, TargetStatus.MISSED.value)
    return pc.if_else(pc.equal(known_us, 0), TargetStatus.NO_DATA.value, status)


def lost_revenue(downtime_us: pa.Array, revenue_per_hour: pa.Array) -> pa.Array:
    """Return the revenue lost by downtime; null where the revenue is not known.

    Parameters
    ----------
    downtime_us : int64 (stores,)
    revenue_per_hour : decimal128(14, 4) (stores,)

    Returns
    -------
    decimal128(34, 4) (stores,)
        Exact, and so are its sums: in 3,600,000,000ths of the currency. `to_cents` converts it.
    """
    return pc.multiply(downtime_us.cast(_WHOLE_US), revenue_per_hour)


def to_cents(lost: pa.Array) -> pa.Array:
    """Return what `lost_revenue` returned, or a sum of it, rounded half to even to cents.

    >>> lost = lost_revenue(pa.array([1_800_000_000]), pa.array([Decimal("25.05")]))
    >>> str(to_cents(lost)[0].as_py())
    '12.52'
    """
    return divide(lost, HOUR_US, 2)


def divide(exact: pa.Array, divisor: int, digits: int) -> pa.Array:
    """Divide decimals by a duration in microseconds, and round once, half to even.

    Parameters
    ----------
    exact : decimal (n,)
    divisor : int
        Below 10¹⁰.
    digits : int
        After the point.

    Returns
    -------
    decimal128(38, digits) (n,)
    """
    # The quotient has eleven digits more than the dividend. That tells a value next to half a unit
    # of the last digit from exactly half of one.
    wide = exact.cast(pa.decimal256(50, exact.type.scale))
    quotient = pc.divide(wide, pa.scalar(Decimal(divisor), pa.decimal256(10, 0)))
    return pc.round(quotient, digits, "half_to_even").cast(pa.decimal128(38, digits))
