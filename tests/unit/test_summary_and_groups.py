"""Sums over stores are exact, whatever the batches (rules 19, 22 and 23)."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_monitoring.domain.parameters import DAY_US, HOUR_US, MINUTE_US, PollFilter
from store_monitoring.errors import TooManyGroupsError
from store_monitoring.instants import to_us
from store_monitoring.reports import groups
from store_monitoring.reports.groups import GroupsBuilder
from store_monitoring.reports.measures import measures
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import Format
from store_monitoring.reports.summary import Summary, SummaryBuilder
from tests import parts
from tests.parts import NOW, part_of, store, week, without_data

TARGET = Decimal(99)
PLAN = Plan("r", 7, to_us(NOW), to_us(NOW), 14 * DAY_US, PollFilter.ALL, (Format.CSV,), False, ())


def groups_of(group_by: list[str], *batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    builder = GroupsBuilder(group_by)
    for batch in batches:
        builder.add(measures(part_of(batch), TARGET))
    return builder.table().to_pylist()


def summary_of(*batches: list[dict[str, Any]], plan: Plan = PLAN) -> Summary:
    builder = SummaryBuilder(plan)
    for batch in batches:
        builder.add(measures(part_of(batch), TARGET))
    return builder.summary()


def expected_sums(stores: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a group's figures, by fractions and one store after the other."""
    figures: dict[str, Any] = {
        "stores": len(stores),
        "stores_without_data": sum(each["last_poll_at"] is None for each in stores),
        "outages_last_week": sum(each["outages_last_week"] for each in stores),
        "incidents_last_week": sum(each["incidents_last_week"] for each in stores),
    }
    recovered = sum(each["recoveries_last_week"] for each in stores)
    recovery_us = sum(each["recovery_last_week_us"] for each in stores)
    mean = float(round(Fraction(recovery_us, recovered * HOUR_US), 2)) if recovered else None
    figures["mean_time_to_recovery_last_week(in hours)"] = mean
    for window in parts.WINDOWS_US:
        unit, unit_us = ("minutes", MINUTE_US) if window == "last_hour" else ("hours", HOUR_US)
        total = {
            measure: sum(each[f"{measure}_{window}_us"] for each in stores)
            for measure in parts.MEASURES
        }
        total["business_time"] = sum(total.values())
        total["excluded"] = sum(each[f"excluded_{window}_us"] for each in stores)
        for measure, total_us in total.items():
            rounded = round(Fraction(total_us, unit_us), 2)
            figures[f"{measure}_{window}(in {unit})"] = float(rounded)
        known_us = total["uptime"] + total["downtime"]
        percent = round(Fraction(100 * total["uptime"], known_us), 3) if known_us else None
        figures[f"uptime_percent_{window}"] = None if percent is None else float(percent)
        figures[f"missed_target_{window}"] = sum(misses(each, window) for each in stores)
        lost = [
            Fraction(each["revenue_per_hour"]) * each[f"downtime_{window}_us"] / HOUR_US
            for each in stores
            if each.get("revenue_per_hour") is not None
        ]
        cents = round(100 * sum(lost, Fraction(0)))
        figures[f"lost_revenue_{window}"] = Decimal(cents).scaleb(-2) if lost else None
    return figures


def misses(each: dict[str, Any], window: str) -> bool:
    down_us = each[f"downtime_{window}_us"]
    target = each.get("target_percent")
    allowed = 1 - Fraction(TARGET if target is None else target) / 100
    return down_us > allowed * (each[f"uptime_{window}_us"] + down_us)


@settings(max_examples=settings().max_examples // 2)
@given(
    st.lists(st.lists(parts.STORES, max_size=6), min_size=1, max_size=3),
    st.sampled_from([["brand"], ["region", "brand"], ["nothing"]]),
)
def test_a_group_has_the_sums_of_its_stores(
    batches: list[list[dict[str, Any]]], group_by: list[str]
) -> None:
    members: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for batch in batches:
        for each in batch:
            attributes = dict(each["attributes"])
            members[tuple(attributes.get(name, "") for name in group_by)].append(each)
    assert groups_of(group_by, *batches) == [
        {"group": dict(zip(group_by, values, strict=True))} | expected_sums(members[values])
        for values in sorted(members)
    ]


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(st.lists(parts.STORES, max_size=6), min_size=1, max_size=3))
def test_the_summary_has_the_sums_of_all_stores(batches: list[list[dict[str, Any]]]) -> None:
    stores = [each for batch in batches for each in batch]
    summary = summary_of(*batches)
    expected = expected_sums(stores)
    assert summary.stores == len(stores)
    assert summary.now.no_data == expected["stores_without_data"]
    assert summary.outages_last_week == expected["outages_last_week"]
    recovery = expected["mean_time_to_recovery_last_week(in hours)"]
    assert summary.mean_time_to_recovery_hours == recovery
    for window in parts.WINDOWS_US:
        figures = getattr(summary, window)
        covered = sum(each[f"covered_{window}_us"] for each in stores)
        business = sum(each[f"{name}_{window}_us"] for each in stores for name in parts.MEASURES)
        coverage = float(round(Fraction(100 * covered, business), 3)) if business else None
        assert figures.uptime_percent == expected[f"uptime_percent_{window}"]
        assert figures.coverage_percent == coverage
        assert figures.stores_missed == expected[f"missed_target_{window}"]
        assert figures.lost_revenue == expected[f"lost_revenue_{window}"]
        known = sum(
            each[f"uptime_{window}_us"] + each[f"downtime_{window}_us"] > 0 for each in stores
        )
        assert figures.stores_met + figures.stores_missed == known
    week_ = summary.last_week
    assert week_.uptime_hours == expected["uptime_last_week(in hours)"]
    assert week_.downtime_hours == expected["downtime_last_week(in hours)"]
    assert week_.no_data_hours == expected["no_data_last_week(in hours)"]
    assert week_.business_time_hours == expected["business_time_last_week(in hours)"]
    assert week_.excluded_hours == expected["excluded_last_week(in hours)"]
    starts = [hour for each in stores for hour in each["outage_hours"]]
    assert sum(map(sum, summary.outages_by_hour)) == len(starts)
    assert all(summary.outages_by_hour[hour // 24][hour % 24] for hour in starts)
    zones = {zone.timezone: (zone.stores, zone.outages) for zone in summary.outages_by_zone}
    assert sum(outages for _, outages in zones.values()) == len(starts)
    assert sum(count for count, _ in zones.values()) == len(stores)


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(parts.STORES, min_size=1, max_size=9), st.integers(0, 9))
def test_the_summary_does_not_depend_on_the_batches(stores: list[dict[str, Any]], cut: int) -> None:
    assert summary_of(stores[:cut], stores[cut:]) == summary_of(stores)


def test_sums_exceed_int64() -> None:
    rows = [store(f"{n:02d}", uptime_last_week_us=2**62) for n in range(4)]
    [group] = groups_of(["brand"], rows[:1], rows[1:2], rows[2:3], rows[3:])
    assert group["uptime_last_week(in hours)"] == float(round(Fraction(2**64, HOUR_US), 2))


def test_too_many_groups_fail_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX_GROUPS", 2)
    rows = [store(brand, attributes=[("brand", brand)]) for brand in "abc"]
    assert len(groups_of(["brand"], rows[:2])) == 2
    with pytest.raises(TooManyGroupsError, match="brand"):
        groups_of(["brand"], rows[:2], rows[2:])


# --- the rest of the summary ------------------------------------------------------------------


def test_states_now() -> None:
    summary = summary_of(
        [
            store("up"),
            store("down", last_poll_active=False),
            store("closed", last_poll_active=False, open_now=False),
            store("silent", **without_data()),
            store("silent and closed", **without_data(), open_now=False),
        ]
    )
    now = summary.now
    assert (now.up, now.down, now.closed, now.no_data) == (1, 1, 1, 2)


def test_the_worst_stores_are_the_least_up() -> None:
    rows = [store(f"{n:02d}", **week(n % 25, 25)) for n in range(30)]
    rows += [store("closed", **week(0, 0)), store("silent", **without_data())]
    worst = [each.store_id for each in summary_of(rows[:11], rows[11:]).worst_stores]
    assert worst == [f"{n:02d}" for n in sorted(range(30), key=lambda n: (n % 25, n))[:20]]


def test_stores_by_uptime_outage_and_last_poll() -> None:
    summary = summary_of(
        [
            store("a", **without_data(10)),
            store("b", **week(0, 10), longest_outage_last_week_us=HOUR_US),
            store("c", **week(0.01, 10), longest_outage_last_week_us=HOUR_US - 1),
            store("d", **week(1, 9), longest_outage_last_week_us=24 * HOUR_US),
            store("e", **week(9.99, 0.01)),
            store("f", **week(10, 0), longest_outage_last_week_us=0),
            store("g", **week(0, 0)),
            store("h", **without_data(0)),
        ]
    )
    uptime = {bin_.label: bin_.stores for bin_ in summary.uptime_percent_last_week}
    assert {label: stores for label, stores in uptime.items() if stores} == {
        **{"0": 1, "> 0": 1, "10+": 1, "90+": 1, "100": 1},
        "no data": 1,
    }
    outage = {bin_.label: bin_.stores for bin_ in summary.longest_outage_last_week}
    assert [n for n in outage.values() if n] == [1, 1, 1, 2, 1]
    assert sum(outage.values()) == 6
    age = [bin_.stores for bin_ in summary.last_poll_age]
    assert (age[0], age[-1], sum(age)) == (6, 2, 8)


@pytest.mark.parametrize(
    ("newest_us", "warns"),
    [(PLAN.now_us - 14 * DAY_US, False), (PLAN.now_us - 14 * DAY_US - 1, True), (None, True)],
)
def test_a_report_long_after_the_last_poll_warns(newest_us: int | None, warns: bool) -> None:
    summary = summary_of([store()], plan=replace(PLAN, max_timestamp_us=newest_us))
    assert bool(summary.warnings) == warns


def test_money_is_text_in_json() -> None:
    document = summary_of([store(revenue_per_hour=Decimal("10.01"))]).to_json()
    assert document["last_hour"]["lost_revenue"] == "5.00"
    assert summary_of([store()]).to_json()["last_hour"]["lost_revenue"] is None
