"""Rule 19 and outages, with results computed by hand, for the oracle, the domain and by pieces.

Unless a test says otherwise, the store is in UTC and now is 12:00 on Wednesday 2024-10-16.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.cases import EVERY_DAY, MONDAY, TUESDAY, WEDNESDAY, active, inactive, opens, us, utc
from tests.compute_by_domain import ComputeEverything
from tests.oracle import Case, Details, HoursRow, Outage, Poll

NOW = utc("2024-10-16 12:00")
MICROSECOND = timedelta(microseconds=1)
NINE_TO_FIVE = opens("09:00", "17:00", *EVERY_DAY)
NOTHING = (0, 0, 0)


def case(*polls: Poll, hours: tuple[HoursRow, ...] = (), zone: str = "UTC") -> Case:
    return Case(polls, hours, {"s": zone}, NOW)


def details_of(compute_everything: ComputeEverything, case: Case) -> Details:
    _, details, _ = compute_everything(case)
    return details["s"]


def outages_of(compute_everything: ComputeEverything, case: Case) -> list[tuple[str, str, int]]:
    """Return start, end and incident of each outage."""
    return [
        (f"{outage.start:%a %H:%M}", f"{outage.end:%a %H:%M}", outage.incident)
        for outage in _outages(compute_everything, case)
    ]


def _outages(compute_everything: ComputeEverything, case: Case) -> list[Outage]:
    _, _, outages = compute_everything(case)
    return outages["s"]


# --- no data --------------------------------------------------------------------------------


def test_no_data_is_all_business_time_of_a_store_without_a_known_poll(
    compute_everything: ComputeEverything,
) -> None:
    totals, details, outages = compute_everything(case(hours=opens("09:00", "17:00", TUESDAY)))
    assert totals["s"].no_data_us == (0, us(hours=5), us(hours=8))
    assert totals["s"].uptime_us == totals["s"].downtime_us == NOTHING
    assert details["s"].covered_us == NOTHING
    assert (details["s"].outages, outages["s"]) == ((0,), [])


def test_one_known_poll_leaves_no_time_without_data(compute_everything: ComputeEverything) -> None:
    totals, _, _ = compute_everything(case(inactive("2024-10-03 12:00"), hours=NINE_TO_FIVE))
    assert totals["s"].no_data_us == NOTHING
    assert totals["s"].downtime_us == (us(hours=1), us(hours=5 + 3), us(hours=7 * 8))


def test_polls_that_the_filter_excludes_are_no_data(compute_everything: ComputeEverything) -> None:
    at_night = replace(
        case(inactive("2024-10-15 20:00"), hours=NINE_TO_FIVE), poll_filter="business_hours"
    )
    totals, details, _ = compute_everything(at_night)
    assert totals["s"].no_data_us == (us(hours=1), us(hours=8), us(hours=56))
    assert details["s"].covered_us == NOTHING


# --- coverage -------------------------------------------------------------------------------


def test_two_hours_after_a_poll_are_covered(compute_everything: ComputeEverything) -> None:
    covered_us = details_of(compute_everything, case(active("2024-10-14 08:00"))).covered_us
    assert covered_us == (0, 0, us(hours=2))


def test_covered_time_of_two_polls_counts_once(compute_everything: ComputeEverything) -> None:
    polls = active("2024-10-16 08:00"), inactive("2024-10-16 09:30")
    assert details_of(compute_everything, case(*polls)).covered_us[1] == us(hours=3.5)


@pytest.mark.parametrize("beside", [-MICROSECOND, timedelta(), MICROSECOND])
def test_a_gap_begins_when_the_next_poll_is_later(
    compute_everything: ComputeEverything, beside: timedelta
) -> None:
    second = utc("2024-10-16 08:00") + beside
    covered_us = details_of(
        compute_everything, case(active("2024-10-16 06:00"), active(second))
    ).covered_us
    assert covered_us[1] == us(hours=4) + min(beside, timedelta()) // MICROSECOND


def test_only_business_time_in_the_window_is_covered(
    compute_everything: ComputeEverything,
) -> None:
    # Tuesday 16:30 to 17:00, and from Wednesday 10:30 to now.
    polls = active("2024-10-15 16:30"), active("2024-10-16 10:30")
    covered_us = details_of(compute_everything, case(*polls, hours=NINE_TO_FIVE)).covered_us
    assert covered_us == (us(hours=1), us(hours=2), us(hours=2))


def test_a_poll_before_the_week_covers_its_beginning(
    compute_everything: ComputeEverything,
) -> None:
    covered_us = details_of(compute_everything, case(active("2024-10-09 11:15"))).covered_us
    assert covered_us == (0, 0, us(hours=1, minutes=15))


def test_time_before_the_first_poll_is_not_covered(compute_everything: ComputeEverything) -> None:
    # Though its status holds then (rule 8).
    covered_us = details_of(compute_everything, case(active(NOW - timedelta(minutes=5)))).covered_us
    assert covered_us == (us(minutes=5),) * 3


def test_how_long_a_poll_covers_is_a_parameter(compute_everything: ComputeEverything) -> None:
    quarter = replace(case(active("2024-10-16 11:30")), coverage_minutes=15)
    assert details_of(compute_everything, quarter).covered_us == (us(minutes=15),) * 3


# --- outages and incidents ------------------------------------------------------------------


def test_closing_time_splits_an_incident(compute_everything: ComputeEverything) -> None:
    polls = active("2024-10-14 08:00"), inactive("2024-10-14 15:00"), active("2024-10-15 10:00")
    expected = [("Mon 15:00", "Mon 17:00", 1), ("Tue 09:00", "Tue 10:00", 1)]
    assert outages_of(compute_everything, case(*polls, hours=NINE_TO_FIVE)) == expected
    details = details_of(compute_everything, case(*polls, hours=NINE_TO_FIVE))
    assert (details.outages[-1], details.incidents[-1], details.recoveries[-1]) == (2, 1, 1)
    assert (details.longest_outage_us[-1], details.recovery_us[-1]) == (us(hours=2), us(hours=3))


def test_an_active_poll_while_closed_ends_the_incident(
    compute_everything: ComputeEverything,
) -> None:
    polls = (
        *(active("2024-10-14 08:00"), inactive("2024-10-14 15:00"), active("2024-10-14 20:00")),
        *(inactive("2024-10-14 21:00"), active("2024-10-15 10:00")),
    )
    expected = [("Mon 15:00", "Mon 17:00", 1), ("Tue 09:00", "Tue 10:00", 2)]
    assert outages_of(compute_everything, case(*polls, hours=NINE_TO_FIVE)) == expected
    assert details_of(compute_everything, case(*polls, hours=NINE_TO_FIVE)).recoveries[-1] == 2


def test_repeated_inactive_polls_are_one_incident(compute_everything: ComputeEverything) -> None:
    polls = inactive("2024-10-15 13:00"), inactive("2024-10-15 14:00"), active("2024-10-15 15:00")
    rows = opens("13:30", "17:00", TUESDAY)
    expected = [("Tue 13:30", "Tue 15:00", 1)]
    assert outages_of(compute_everything, case(*polls, hours=rows)) == expected


def test_an_incident_while_closed_is_none(compute_everything: ComputeEverything) -> None:
    night = inactive("2024-10-14 20:00"), active("2024-10-15 08:00")
    lunch = inactive("2024-10-15 12:00"), active("2024-10-15 13:00")
    polls = (active("2024-10-14 08:00"), *night, *lunch)
    expected = [("Tue 12:00", "Tue 13:00", 1)]
    assert outages_of(compute_everything, case(*polls, hours=NINE_TO_FIVE)) == expected


def test_the_active_polls_before_and_after_an_incident(
    compute_everything: ComputeEverything,
) -> None:
    polls = (
        *(active("2024-10-07 01:00"), active("2024-10-07 02:00"), inactive("2024-10-07 03:00")),
        *(inactive("2024-10-15 10:00"), active("2024-10-15 10:30"), inactive("2024-10-16 11:00")),
    )
    hours = opens("09:00", "17:00", MONDAY, TUESDAY, WEDNESDAY)
    outages = _outages(compute_everything, case(*polls, hours=hours))
    before, between = utc("2024-10-07 02:00"), utc("2024-10-15 10:30")
    assert [(each.incident, each.last_up, each.next_up) for each in outages] == [
        (1, before, between),  # Wednesday from 12:00, Monday
        (1, before, between),
        (1, before, between),  # Tuesday to 10:30
        (2, between, None),
    ]


def test_before_the_first_poll_no_active_one_is_known(
    compute_everything: ComputeEverything,
) -> None:
    [outage] = _outages(
        compute_everything, case(inactive("2024-10-16 11:00"), active("2024-10-16 11:30"))
    )
    assert (outage.start, outage.last_up) == (NOW - timedelta(days=7), None)
    assert outage.next_up == utc("2024-10-16 11:30")


def test_an_outage_of_an_open_store_is_ongoing(compute_everything: ComputeEverything) -> None:
    polls = active("2024-10-16 10:00"), inactive("2024-10-16 11:00")
    [outage] = _outages(compute_everything, case(*polls, hours=NINE_TO_FIVE))
    assert (outage.end, outage.ongoing, outage.next_up) == (NOW, True, None)
    details = details_of(compute_everything, case(*polls, hours=NINE_TO_FIVE))
    assert details.incidents[-1] == 1
    assert details.recoveries == details.recovery_us == (0,)


def test_an_outage_that_closing_time_ends_now_is_not_ongoing(
    compute_everything: ComputeEverything,
) -> None:
    polls = active("2024-10-16 10:00"), inactive("2024-10-16 11:00")
    rows = opens("09:00", "12:00", WEDNESDAY)
    [outage] = _outages(compute_everything, case(*polls, hours=rows))
    assert (outage.end, outage.ongoing) == (NOW, False)


def test_an_outage_that_an_active_poll_ends_now_is_not_ongoing(
    compute_everything: ComputeEverything,
) -> None:
    polls = active("2024-10-16 10:00"), inactive("2024-10-16 11:00"), active(NOW)
    [outage] = _outages(compute_everything, case(*polls))
    assert (outage.end, outage.ongoing, outage.next_up) == (NOW, False, NOW)


def test_an_inactive_poll_now_is_no_outage_yet(compute_everything: ComputeEverything) -> None:
    assert _outages(compute_everything, case(active("2024-10-16 10:00"), inactive(NOW))) == []


def test_outages_start_at_a_local_hour_of_the_week(compute_everything: ComputeEverything) -> None:
    # At 18:14:59 and 18:15 UTC it is 23:59:59 on Sunday and Monday 00:00 in Kathmandu.
    polls = (
        *(
            active("2024-10-13 10:00"),
            inactive("2024-10-13 18:14:59"),
            active("2024-10-13 18:14:59.5"),
        ),
        *(inactive("2024-10-13 18:15"), active("2024-10-13 19:00")),
    )
    hours = details_of(compute_everything, case(*polls, zone="Asia/Kathmandu")).outage_hours
    assert hours == (167, 0)
