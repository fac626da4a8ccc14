"""Targets and lost revenue, exactly (rule 22)."""

from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from store_monitoring.domain.parameters import DAY_US, HOUR_US
from store_monitoring.domain.targets import (
    budget_us,
    divide,
    lost_revenue,
    target_status,
    to_cents,
)

PERCENT = pa.decimal128(7, 4)
REVENUE = pa.decimal128(14, 4)
DURATIONS_US = st.integers(0, 400 * DAY_US)
TARGETS = st.decimals(Decimal("0.0001"), 100, places=4)
REVENUES = st.decimals(0, Decimal("9999999999.9999"), places=4)


@given(DURATIONS_US, DURATIONS_US, TARGETS)
@example(99, 1, Decimal(99))  # exactly the budget
@example(98_999_999, 1_000_000, Decimal(99))
def test_a_target_is_missed_if_the_downtime_exceeds_the_budget(
    up_us: int, down_us: int, target: Decimal
) -> None:
    known_us = pa.array([up_us + down_us])
    budgets_us = budget_us(known_us, pa.array([target], PERCENT))
    budget = (1 - Fraction(target) / 100) * (up_us + down_us)
    assert Fraction(budgets_us[0].as_py()) == budget
    expected = "no data" if not up_us + down_us else "missed" if down_us > budget else "met"
    assert target_status(pa.array([down_us]), known_us, budgets_us).to_pylist() == [expected]


@given(st.lists(st.tuples(DURATIONS_US, REVENUES), min_size=1, max_size=20))
@example([(18_000_000, Decimal(1)), (18_000_000, Decimal(1))])  # half a cent each
@example([(400 * DAY_US, Decimal("9999999999.9999"))] * 2)
def test_lost_revenue_is_rounded_once(stores: list[tuple[int, Decimal]]) -> None:
    downs_us, revenues = zip(*stores, strict=True)
    lost = lost_revenue(pa.array(downs_us), pa.array(revenues, REVENUE))
    exact = [Fraction(down_us) * Fraction(revenue) / HOUR_US for down_us, revenue in stores]
    assert [Fraction(cents) for cents in to_cents(lost).to_pylist()] == [
        round(each, 2) for each in exact
    ]
    total = pa.array([sum(lost.to_pylist())], pa.decimal128(38, 4))
    assert Fraction(to_cents(total)[0].as_py()) == round(sum(exact, Fraction(0)), 2)


@given(st.integers(-(10**20), 10**20), st.sampled_from([60_000_000, HOUR_US]))
@example(18_000_000 * 10**8, HOUR_US)  # half of a hundredth: to even
@example(18_000_000 * 10**8 + 1, HOUR_US)
@example(54_000_000 * 10**8 - 1, HOUR_US)
def test_a_division_rounds_half_to_even(hundred_millionths: int, divisor: int) -> None:
    exact = Decimal(hundred_millionths).scaleb(-8)
    rounded = divide(pa.array([exact], pa.decimal128(32, 8)), divisor, 2)[0].as_py()
    assert Fraction(rounded) == round(Fraction(hundred_millionths, 10**8 * divisor), 2)


def test_without_a_known_revenue_nothing_is_known_to_be_lost() -> None:
    lost = lost_revenue(pa.array([1, 2]), pa.array([None, Decimal(0)], REVENUE))
    assert to_cents(lost).to_pylist() == [None, Decimal("0.00")]
