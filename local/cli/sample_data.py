"""Seeded sample data with the shape of a real data set of US restaurants.

The rows are invented; the counts are real. The sample has the difficulties of such data on purpose:
nights split at midnight or not split, split shifts, one-minute rows, missing weekdays, stores that
are missing from a file, unsorted polls, and stores whose polls ended months ago.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

# Part of a cached sample's name: increase it with every change of the bytes.
GENERATOR_VERSION = 3
DEFAULT_SEED = 20241014

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
FIRST_DAY_US = int(np.datetime64("2024-08-01", "us").astype(np.int64))
LATEST_POLL_US = int(np.datetime64("2024-10-14T23:55:18.727055", "us").astype(np.int64))

# Poll rates are log-normal over the stores; with this sigma the median is 0.7 of the mean.
POLL_RATE_SIGMA = 0.84
WHOLE_SECOND_SHARE = 0.001
OUTAGES_PER_STORE = 203
OUTAGE_MEDIAN_US = 1.5 * HOUR_US
OUTAGE_SIGMA = 1.25
LONG_OUTAGE_SHARE = 0.15
LONG_OUTAGE_DAYS = (2, 25)

ZONE_WEIGHTS = {
    "America/Chicago": 660,
    "America/New_York": 245,
    "America/Los_Angeles": 45,
    "America/Denver": 25,
    "America/Phoenix": 13,
    "America/Indiana/Indianapolis": 9,
    "America/Boise": 1,
    "America/Detroit": 1,
    "Pacific/Honolulu": 1,
}
OPENING_WEIGHTS = {"10:00:00": 45, "10:30:00": 32, "11:00:00": 12, "10:45:00": 7, "06:00:00": 4}
CLOSING_WEIGHTS = {"22:30:00": 28, "23:30:00": 22, "21:30:00": 20, "21:10:00": 17, "22:50:00": 13}
NIGHT_END_WEIGHTS = {"01:00:00": 45, "02:00:00": 25, "04:00:00": 14, "00:30:00": 8, "02:45:00": 8}
FRIDAY_AND_SATURDAY = slice(4, 6)

# The extra rows that a day may have besides its main row. A store with split days has one kind,
# mostly the night; one such store in forty has all kinds, so up to four rows a day.
NIGHT, BREAKFAST, LUNCH = range(3)
BREAKFAST_SHARE = 0.25
ALL_KINDS_ONE_IN = 40

# Attributes: the regions that a zone may be in, and who runs the stores.
REGION_WEIGHTS = {
    "America/Chicago": {"South": 60, "Midwest": 40},
    "America/New_York": {"Northeast": 55, "South": 45},
    "America/Los_Angeles": {"West": 1},
    "America/Denver": {"West": 1},
    "America/Phoenix": {"West": 1},
    "America/Indiana/Indianapolis": {"Midwest": 1},
    "America/Boise": {"West": 1},
    "America/Detroit": {"Midwest": 1},
    "Pacific/Honolulu": {"West": 1},
}
BRAND_WEIGHTS = {"Taco Lumbre": 38, "Smash & Stack": 30, "Nori": 20, "Verde Bowl": 12}
BRAND_TARGETS = {"Taco Lumbre": "98", "Smash & Stack": "98.5", "Nori": "99.5", "Verde Bowl": "99"}
FRANCHISEES = [
    f"{family} {business}"
    for business in ("Foods", "Kitchens", "Hospitality", "Restaurants", "Partners")
    for family in ("Alder", "Birch", "Calloway", "Delmar", "Easton", "Fairway", "Granger", "Holt")
]
PLACES = [
    f"{place} {way}"
    for way in ("Street", "Avenue", "Plaza", "Crossing")
    for place in ("Maple", "Harbor", "Mill", "College", "Airport", "Lake", "Main", "Canyon")
]
WITHOUT_ATTRIBUTES_SHARE = 0.03
COMPANY_OWNED_SHARE = 0.08  # no franchisee
WITHOUT_TARGET_SHARE = 0.15
WITHOUT_REVENUE_SHARE = 0.1
REVENUE_MEDIAN_PER_HOUR = 140
REVENUE_SIGMA = 0.6

# Holidays, and times that do not count. None is in the two weeks before the latest poll, so the
# classic report does not depend on them.
SHORT_HOLIDAY, CLOSED_HOLIDAY = "2024-09-02", "2024-11-28"
SHORT_SHARE, CLOSED_SHARE = 0.6, 0.85
OUTAGE_OF_PLATFORM = ("2024-09-17 17:05:00 UTC", "2024-09-17 18:40:00 UTC")
PLATFORM_SHARE = 0.25
RENOVATION = ("2024-09-09 05:00:00 UTC", "2024-09-12 05:00:00 UTC")
RENOVATED_ONE_IN = 200

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class SampleShape:
    """The counts of a sample: of stores, unless the name says rows or polls."""

    stores: int
    stores_without_zone: int
    stores_with_hours: int
    stores_polled: int
    stores_polled_without_hours: int

    hours_rows: int
    end_rows_at_23_59_59: int
    end_rows_at_23_59_00: int
    stores_with_split_days: int
    stores_without_some_weekday: int
    stores_open_one_minute: int
    stores_with_unsplit_nights: int
    stores_open_round_the_clock: int

    polls: int
    polls_last_fortnight: int
    polls_last_week: int
    stores_silent_last_week: int
    stores_polled_last_hour: int


def scaled_down(shape: SampleShape, divisor: float) -> SampleShape:
    """Return a shape with all counts divided, none to less than 1."""
    counts = asdict(shape).items()
    return SampleShape(**{name: max(1, round(count / divisor)) for name, count in counts})


FULL = SampleShape(
    stores=4_560,
    stores_without_zone=1,
    stores_with_hours=4_466,
    stores_polled=3_678,
    stores_polled_without_hours=54,
    hours_rows=35_457,
    end_rows_at_23_59_59=6_776,
    end_rows_at_23_59_00=2_407,
    stores_with_split_days=1_062,
    stores_without_some_weekday=115,
    stores_open_one_minute=4,
    stores_with_unsplit_nights=60,
    stores_open_round_the_clock=80,
    polls=1_849_837,
    polls_last_fortnight=250_000,
    polls_last_week=124_000,
    stores_silent_last_week=893,
    stores_polled_last_hour=800,
)
SMALL = scaled_down(FULL, 50)


def cached_sample(root: Path, *, shape: SampleShape = FULL, seed: int = DEFAULT_SEED) -> Path:
    """Return the folder under `root` that holds this sample, making it the first time only.

    Parameters
    ----------
    root : Path
        Where samples are kept; made if missing.
    shape, seed
        As for `write_sample`.
    """
    shape_digest = hashlib.sha256(repr(shape).encode()).hexdigest()[:8]
    folder = root / f"sample-v{GENERATOR_VERSION}-{shape.polls}-{shape_digest}-seed-{seed}"
    if not folder.is_dir():
        try:
            write_sample(folder, shape=shape, seed=seed)
        except OSError:
            # Another process may have made the same sample at the same time.
            if not folder.is_dir():
                raise
    return folder


def write_sample(folder: Path, *, shape: SampleShape = FULL, seed: int = DEFAULT_SEED) -> None:
    """Write a file of each kind of input into a new folder.

    The folder is created atomically with all files. The same shape and seed give the same bytes.

    Parameters
    ----------
    folder : Path
        The folder to make; its parents are made too.
    shape : SampleShape
        The counts to meet.
    seed : int
        Seed of the random numbers.

    Raises
    ------
    OSError
        The folder exists and is not empty, or cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unquoted = csv.WriteOptions(quoting_style="none", quoting_header="none")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".sample-") as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        for name, table in make_tables(shape, seed).items():
            csv.write_csv(table, made / name, unquoted)
        made.rename(folder)


def make_tables(shape: SampleShape, seed: int) -> dict[str, pa.Table]:
    """Return the rows of all files, by file name; the polls' come first."""
    # One generator for each table, so that a change to one table does not change the others.
    id_rng, zone_rng, hours_rng, poll_rng, attribute_rng, special_rng, exclusion_rng = (
        np.random.default_rng(seed).spawn(7)
    )
    # Ids are random, so a store's position in this array can determine its data: the first
    # `stores_polled` stores have polls; all but the first few and some at the end have hours.
    store_ids = pa.array(str(UUID(bytes=id_rng.bytes(16), version=4)) for _ in range(shape.stores))
    zones = make_zones(shape, store_ids, zone_rng)
    hours = make_hours(shape, store_ids, hours_rng)
    return {
        "store_status.csv": _make_polls(shape, store_ids, poll_rng),
        "menu_hours.csv": hours,
        "store_timezones.csv": zones,
        "stores.csv": _make_attributes(zones, attribute_rng),
        "special_hours.csv": _make_special_hours(hours["store_id"], special_rng),
        "exclusions.csv": _make_exclusions(store_ids, exclusion_rng),
    }


def make_zones(shape: SampleShape, store_ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    """Return the rows of the time zones' file."""
    # The last of the polled stores have no zone, but everything else.
    unzoned = np.arange(shape.stores_polled - shape.stores_without_zone, shape.stores_polled)
    stores = rng.permutation(np.setdiff1d(np.arange(shape.stores), unzoned))
    one_of_each = np.array(list(ZONE_WEIGHTS))
    others = _draw_texts(ZONE_WEIGHTS, stores.size - one_of_each.size, rng)
    zones = np.concatenate([one_of_each, others])
    return pa.table({"store_id": store_ids.take(stores), "timezone_str": zones})


def _make_attributes(zones: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Return the rows of the attributes' file: of most of the stores that have a zone.

    A franchisee has stores of one brand; a few franchisees have many stores.
    """
    listed = np.flatnonzero(rng.random(len(zones)) >= WITHOUT_ATTRIBUTES_SHARE)
    region = np.empty(listed.size, dtype=object)
    zone = zones["timezone_str"].to_numpy()[listed]
    for name, weights in REGION_WEIGHTS.items():
        in_zone = zone == name
        region[in_zone] = _draw_texts(weights, int(in_zone.sum()), rng)

    size_of_franchisee = rng.lognormal(size=len(FRANCHISEES))
    franchisee = rng.choice(
        len(FRANCHISEES), size=listed.size, p=size_of_franchisee / size_of_franchisee.sum()
    )
    is_company_owned = rng.random(listed.size) < COMPANY_OWNED_SHARE
    brand = np.where(
        is_company_owned,
        _draw_texts(BRAND_WEIGHTS, listed.size, rng),
        _draw_texts(BRAND_WEIGHTS, len(FRANCHISEES), rng)[franchisee],
    )
    number = 100 + rng.permutation(listed.size)
    place = rng.choice(PLACES, listed.size)
    revenue = REVENUE_MEDIAN_PER_HOUR * rng.lognormal(sigma=REVENUE_SIGMA, size=listed.size)
    return pa.table(
        {
            "store_id": zones["store_id"].take(listed),
            "name": [f"{b} {p} #{n}" for b, p, n in zip(brand, place, number, strict=True)],
            "brand": brand,
            "region": region,
            "franchisee": pa.array(np.array(FRANCHISEES)[franchisee], mask=is_company_owned),
            "target_percent": pa.array(
                [BRAND_TARGETS[each] for each in brand],
                mask=rng.random(listed.size) < WITHOUT_TARGET_SHARE,
            ),
            "revenue_per_hour": pa.array(
                [f"{each:.2f}" for each in revenue],
                mask=rng.random(listed.size) < WITHOUT_REVENUE_SHARE,
            ),
        }
    )


def _make_special_hours(store_ids: pa.ChunkedArray, rng: np.random.Generator) -> pa.Table:
    """Return the rows of the special hours' file: a holiday with short hours, and one closed."""
    stores = pc.unique(store_ids)
    short, closed = (
        stores.take(np.flatnonzero(rng.random(len(stores)) < share))
        for share in (SHORT_SHARE, CLOSED_SHARE)
    )
    dates = [SHORT_HOLIDAY] * len(short) + [CLOSED_HOLIDAY] * len(closed)
    is_closed = np.array(dates) == CLOSED_HOLIDAY
    return pa.table(
        {
            "store_id": pa.concat_arrays([short, closed]),
            "date": dates,
            "start_time_local": pa.array(np.full(len(dates), "11:00:00"), mask=is_closed),
            "end_time_local": pa.array(np.full(len(dates), "20:00:00"), mask=is_closed),
        }
    )


def _make_exclusions(store_ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    """Return the rows of the exclusions' file: an outage of a platform, and renovations."""
    offline = np.flatnonzero(rng.random(len(store_ids)) < PLATFORM_SHARE)
    renovated = rng.permutation(len(store_ids))[: max(1, len(store_ids) // RENOVATED_ONE_IN)]
    start, end = zip(
        *[OUTAGE_OF_PLATFORM] * offline.size, *[RENOVATION] * renovated.size, strict=True
    )
    return pa.table(
        {
            "store_id": store_ids.take(np.append(offline, renovated)),
            "start_utc": start,
            "end_utc": end,
            "reason": ["ordering platform down"] * offline.size + ["renovation"] * renovated.size,
        }
    )


def make_hours(shape: SampleShape, store_ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    """Return the rows of the hours' file.

    One main row for each open day, and extra rows for the days of stores with split days.
    """
    size = shape.stores_with_hours
    split, partial, one_minute, unsplit, plain = _consecutive_slices(
        shape.stores_with_split_days,
        shape.stores_without_some_weekday,
        shape.stores_open_one_minute,
        shape.stores_with_unsplit_nights,
        end=size,
    )
    is_open = np.ones((size, 7), dtype=np.bool_)
    is_open[partial] = _draw_open_days(shape.stores_without_some_weekday, rng)
    extra_rows = shape.hours_rows - int(is_open.sum())
    extra = _draw_extra_rows(shape.stores_with_split_days, extra_rows, rng)

    opens = _draw_texts(OPENING_WEIGHTS, size, rng)
    opens[split][extra[:, :, BREAKFAST].any(axis=1)] = "10:20:00"
    opens[split][extra[:, :, LUNCH].any(axis=1)] = "16:00:00"
    closes = np.repeat(_draw_texts(CLOSING_WEIGHTS, size, rng)[:, np.newaxis], 7, axis=1)
    closes[rng.random(size) < 0.4, FRIDAY_AND_SATURDAY] = "23:30:00"
    opens[one_minute], closes[one_minute] = "00:00:00", "00:01:00"
    opens[unsplit], closes[unsplit] = "18:00:00", "02:00:00"
    opens[plain][: shape.stores_open_round_the_clock] = "00:00:00"

    # Days end at midnight before each night row, and in as many plain stores as the count needs.
    to_midnight = np.zeros((size, 7), dtype=np.bool_)
    to_midnight[split] = np.roll(extra[:, :, NIGHT], -1, axis=1)
    wanted = shape.end_rows_at_23_59_59 + shape.end_rows_at_23_59_00
    to_midnight[plain].reshape(-1)[: wanted - int(to_midnight.sum())] = True
    store, day = np.nonzero(to_midnight)
    by_random_store = np.argsort(rng.random(size)[store], kind="stable")
    closes[store[by_random_store], day[by_random_store]] = np.repeat(
        ["23:59:59", "23:59:00"], [shape.end_rows_at_23_59_59, shape.end_rows_at_23_59_00]
    )

    main_store, main_day = np.nonzero(is_open)
    extra_store, extra_day, kind = np.nonzero(extra)
    night_ends = _draw_texts(NIGHT_END_WEIGHTS, shape.stores_with_split_days, rng)[extra_store]
    extra_opens = np.array(["00:00:00", "06:30:00", "11:00:00"])[kind]
    extra_closes = np.select(
        [kind == NIGHT, kind == BREAKFAST], [night_ends, "10:19:00"], "14:30:00"
    )
    store_number = shape.stores_polled_without_hours + rng.permutation(size)
    table = pa.table(
        {
            "store_id": store_ids.take(store_number[np.concatenate([main_store, extra_store])]),
            "dayOfWeek": np.concatenate([main_day, extra_day]),
            "start_time_local": np.concatenate([opens[main_store], extra_opens]),
            "end_time_local": np.concatenate([closes[main_store, main_day], extra_closes]),
        }
    )
    return table.take(rng.permutation(table.num_rows))


def _draw_open_days(stores: int, rng: np.random.Generator) -> Bools:
    """Which weekdays (stores x 7) are open, where at least one is and at least one is not."""
    open_days = rng.choice([6, 6, 6, 4, 2, 1], size=(stores, 1))
    return rng.permuted(np.tile(np.arange(7), (stores, 1)), axis=1) < open_days


def _draw_extra_rows(stores: int, rows: int, rng: np.random.Generator) -> Bools:
    """Which extra rows (stores x 7 x kind) there are: `rows` in all, at least one for each store.

    Each possible row gets a random number; the `rows` rows with the lowest numbers are chosen.
    """
    has_breakfast = rng.random(stores) < BREAKFAST_SHARE
    may_have = np.zeros((stores, 7, 3), dtype=np.bool_)
    may_have[~has_breakfast, :, NIGHT] = True
    may_have[has_breakfast, :, BREAKFAST] = True
    may_have[::ALL_KINDS_ONE_IN] = True
    numbers = np.where(may_have, rng.random(may_have.shape), np.inf).reshape(stores, -1)
    numbers[np.arange(stores), numbers.argmin(axis=1)] = -1
    extra = np.zeros(numbers.size, dtype=np.bool_)
    extra[np.argsort(numbers, axis=None)[:rows]] = True
    return extra.reshape(may_have.shape)


def _make_polls(shape: SampleShape, store_ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    store, at_us = draw_polls(shape, rng)
    is_inactive = is_in_outage(store, at_us, shape.stores_polled, rng)
    # The draw has the silent stores first; mixed, they are with and without hours alike.
    store_number = rng.permutation(shape.stores_polled)
    order = rng.permutation(shape.polls)
    return pa.table(
        {
            "store_id": store_ids.take(store_number[store[order]]),
            "status": pa.array(["active", "inactive"]).take(is_inactive[order].astype(np.int8)),
            "timestamp_utc": _format_instants(at_us[order]),
        }
    )


def draw_polls(shape: SampleShape, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return store and instant of every poll: each store at its own rate, until its polls end."""
    rate = rng.lognormal(sigma=POLL_RATE_SIGMA, size=shape.stores_polled)
    fortnight_ago_us = LATEST_POLL_US - 14 * DAY_US
    week_ago_us = LATEST_POLL_US - 7 * DAY_US
    silent_from_us = np.full(rate.size, LATEST_POLL_US)
    silent_from_us[: shape.stores_silent_last_week] = rng.integers(
        FIRST_DAY_US + DAY_US, week_ago_us, shape.stores_silent_last_week
    )
    # A store has two polls in the last hour or none.
    last_hour_store = np.repeat(np.arange(rate.size)[-shape.stores_polled_last_hour :], 2)
    last_hour_us = LATEST_POLL_US - rng.integers(0, HOUR_US - SECOND_US, last_hour_store.size)

    def draw_between(begin_us: int, end_us: int, polls: int) -> tuple[Ints, Ints]:
        # Some polls lose their fraction below; that must not move them before `begin_us`.
        begin_us = -(-begin_us // SECOND_US) * SECOND_US
        span_us = np.clip(silent_from_us, begin_us, end_us) - begin_us
        store = np.repeat(np.arange(rate.size), _share_out(polls, rate * span_us, rng))
        return store, begin_us + (rng.random(polls) * span_us[store]).astype(np.int64)

    fortnight, week = shape.polls_last_fortnight, shape.polls_last_week
    stores, instants_us = zip(
        draw_between(FIRST_DAY_US, fortnight_ago_us, shape.polls - fortnight),
        draw_between(fortnight_ago_us, week_ago_us, fortnight - week),
        draw_between(week_ago_us, LATEST_POLL_US - HOUR_US, week - last_hour_store.size),
        (last_hour_store, last_hour_us),
        strict=True,
    )
    at_us = np.concatenate(instants_us)
    at_us -= np.where(rng.random(at_us.size) < WHOLE_SECOND_SHARE, at_us % SECOND_US, 0)
    at_us[-1] = LATEST_POLL_US
    return np.concatenate(stores), at_us


def is_in_outage(store: Ints, at_us: Ints, stores: int, rng: np.random.Generator) -> Bools:
    """Return which polls are in an outage of their store.

    Outages begin at random, in some stores more often than in others, and a few are very long.
    They may overlap: a store is down in their union and up in the gaps.
    """
    outages = rng.poisson(rng.gamma(2, OUTAGES_PER_STORE / 2, stores))
    long_outages = (rng.random(stores) < LONG_OUTAGE_SHARE).astype(np.int64)
    lasts_us = np.concatenate(
        [
            OUTAGE_MEDIAN_US * rng.lognormal(sigma=OUTAGE_SIGMA, size=outages.sum()),
            DAY_US * rng.uniform(*LONG_OUTAGE_DAYS, size=long_outages.sum()),
        ]
    ).astype(np.int64)
    of_store = np.repeat(np.tile(np.arange(stores), 2), np.concatenate([outages, long_outages]))

    # Put all stores on one time line, each in its own span, which its outages do not leave: a poll
    # is in an outage if more outages have begun than ended.
    span_us = LATEST_POLL_US - FIRST_DAY_US + 1
    begins_us = rng.integers(0, span_us, of_store.size)
    ends_us = np.minimum(begins_us + lasts_us, span_us)
    polled = store * span_us + at_us - FIRST_DAY_US
    begun = np.searchsorted(np.sort(of_store * span_us + begins_us), polled, side="right")
    ended = np.searchsorted(np.sort(of_store * span_us + ends_us), polled, side="right")
    return begun > ended


def _format_instants(at_us: Ints) -> pa.Array:
    """Format as `2024-10-12 06:15:08.15508 UTC`, without the fraction's trailing zeros."""
    with_six_digits = pa.array(at_us, pa.timestamp("us")).cast(pa.string())
    trimmed = pc.utf8_rtrim(pc.utf8_rtrim(with_six_digits, "0"), ".")
    return pc.binary_join_element_wise(trimmed, "UTC", " ")


def _share_out(total: int, weights: Floats, rng: np.random.Generator) -> Ints:
    """Split `total` at random in proportion to `weights`, at least one to each that is not zero."""
    at_least = (weights > 0).astype(np.int64)
    return at_least + rng.multinomial(total - at_least.sum(), weights / weights.sum())


def _draw_texts(weights: Mapping[str, int], size: int, rng: np.random.Generator) -> Texts:
    shares = np.array(list(weights.values())) / sum(weights.values())
    return rng.choice(list(weights), size=size, p=shares)


def _consecutive_slices(*sizes: int, end: int) -> list[slice]:
    """Slices of these sizes one after the other, and one more for what is left up to `end`."""
    return [slice(begin, stop) for begin, stop in pairwise([0, *accumulate(sizes), end])]
