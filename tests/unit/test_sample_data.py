"""The sample generator meets the counts of its shape, and the same seed gives the same bytes."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from local.cli import sample_data
from local.cli.sample_data import SMALL, cached_sample, write_sample

STATUS, HOURS, ZONES, STORES, SPECIAL_HOURS, EXCLUSIONS = FILES = (
    *("store_status.csv", "menu_hours.csv", "store_timezones.csv"),
    *("stores.csv", "special_hours.csv", "exclusions.csv"),
)
LATEST = pd.Timestamp("2024-10-14 23:55:18.727055")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cached_sample(tmp_path_factory.mktemp("samples"), shape=SMALL)


@pytest.fixture(scope="module")
def polls(sample: Path) -> pd.DataFrame:
    polls = pd.read_csv(sample / STATUS)
    at = pd.to_datetime(polls["timestamp_utc"].str.removesuffix(" UTC"), format="ISO8601")
    return polls.assign(at=at)


@pytest.fixture(scope="module")
def hours(sample: Path) -> pd.DataFrame:
    return pd.read_csv(sample / HOURS)


@pytest.fixture(scope="module")
def zones(sample: Path) -> pd.DataFrame:
    return pd.read_csv(sample / ZONES)


@pytest.fixture(scope="module")
def stores(sample: Path) -> pd.DataFrame:
    return pd.read_csv(sample / STORES, dtype=str)


def test_files_begin_as_the_real_ones_and_end_lines_with_newline(sample: Path) -> None:
    headers = {path.name: path.read_bytes().split(b"\n")[0] for path in sample.iterdir()}
    assert headers == {
        STATUS: b"store_id,status,timestamp_utc",
        HOURS: b"store_id,dayOfWeek,start_time_local,end_time_local",
        ZONES: b"store_id,timezone_str",
        STORES: b"store_id,name,brand,region,franchisee,target_percent,revenue_per_hour",
        SPECIAL_HOURS: b"store_id,date,start_time_local,end_time_local",
        EXCLUSIONS: b"store_id,start_utc,end_utc,reason",
    }
    for path in sample.iterdir():
        content = path.read_bytes()
        assert content.endswith(b"\n")
        assert b"\r" not in content
        assert b'"' not in content


def test_stores_are_in_as_many_files_as_the_shape_says(
    polls: pd.DataFrame, hours: pd.DataFrame, zones: pd.DataFrame
) -> None:
    polled, open_at, zoned = (set(table["store_id"]) for table in (polls, hours, zones))
    assert len(polled | open_at | zoned) == SMALL.stores
    assert len(polled) == SMALL.stores_polled
    assert len(open_at) == SMALL.stores_with_hours
    assert len(polled - open_at) == SMALL.stores_polled_without_hours
    assert len(zoned) == len(zones) == SMALL.stores - SMALL.stores_without_zone
    assert zones["timezone_str"].nunique() == 9


def test_polls_are_counted_by_epoch(polls: pd.DataFrame) -> None:
    assert len(polls) == SMALL.polls
    assert polls["at"].min() >= pd.Timestamp("2024-08-01")
    assert polls["at"].max() == LATEST
    assert (polls["at"] >= LATEST - pd.Timedelta(days=14)).sum() == SMALL.polls_last_fortnight
    last_week = polls[polls["at"] >= LATEST - pd.Timedelta(days=7)]
    assert len(last_week) == SMALL.polls_last_week
    speaking = SMALL.stores_polled - SMALL.stores_silent_last_week
    assert last_week["store_id"].nunique() == speaking


def test_a_store_has_two_polls_in_the_last_hour_or_none(polls: pd.DataFrame) -> None:
    last_hour = polls[polls["at"] >= LATEST - pd.Timedelta(hours=1)]
    assert last_hour["store_id"].value_counts().tolist() == [2] * SMALL.stores_polled_last_hour


def test_polls_are_unsorted_and_some_are_inactive(polls: pd.DataFrame) -> None:
    assert (polls["at"].diff() > pd.Timedelta(0)).mean() == pytest.approx(0.5, abs=0.02)
    assert (polls["store_id"] == polls["store_id"].shift()).mean() < 0.1
    assert set(polls["status"]) == {"active", "inactive"}
    assert (polls["status"] == "inactive").mean() == pytest.approx(0.3, abs=0.1)


def test_statuses_hold_for_a_while(polls: pd.DataFrame) -> None:
    sort_and_dedupe = polls.sort_values(["store_id", "at"])
    unchanged = sort_and_dedupe["status"] == sort_and_dedupe.groupby("store_id")["status"].shift()
    # Drawn independently, 0.58 of them would be.
    assert unchanged.mean() > 0.75


def test_fractions_have_no_trailing_zeros_and_may_be_absent(polls: pd.DataFrame) -> None:
    written = polls["timestamp_utc"]
    well_formed = r"2024-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{0,5}[1-9])? UTC"
    assert written.str.fullmatch(well_formed).all()
    digits = written.str.removesuffix(" UTC").str.len() - len("2024-10-12 06:15:08.")
    assert {-1, 4, 5, 6} <= set(digits)


def test_hours_have_as_many_odd_rows_as_the_shape_says(hours: pd.DataFrame) -> None:
    start, end = hours["start_time_local"], hours["end_time_local"]
    assert len(hours) == SMALL.hours_rows
    assert not hours.duplicated().any()
    assert (end == "23:59:59").sum() == SMALL.end_rows_at_23_59_59
    assert (end == "23:59:00").sum() == SMALL.end_rows_at_23_59_00
    unsplit = hours[end < start]
    assert unsplit["store_id"].nunique() == SMALL.stores_with_unsplit_nights
    one_minute = hours[(start == "00:00:00") & (end == "00:01:00")]
    assert one_minute["store_id"].nunique() == SMALL.stores_open_one_minute
    round_the_clock = hours[(start == "00:00:00") & (end >= "23:59:00")]
    assert round_the_clock["store_id"].nunique() == SMALL.stores_open_round_the_clock


def test_some_stores_have_several_rows_a_day_and_some_lack_weekdays(hours: pd.DataFrame) -> None:
    rows_a_day = hours.groupby(["store_id", "dayOfWeek"]).size()
    most_rows = rows_a_day.groupby("store_id").max()
    assert (most_rows > 1).sum() == SMALL.stores_with_split_days
    assert most_rows.max() in (3, 4)
    weekdays = hours.groupby("store_id")["dayOfWeek"].nunique()
    assert (weekdays < 7).sum() == SMALL.stores_without_some_weekday
    assert set(hours["dayOfWeek"]) == set(range(7))


def test_every_split_night_follows_a_day_that_runs_to_midnight(hours: pd.DataFrame) -> None:
    start, end = hours["start_time_local"], hours["end_time_local"]
    nights = hours[(start == "00:00:00") & (end > "00:01:00") & (end < "05:00:00")]
    to_midnight = hours[end >= "23:59:00"]
    eves = zip(nights["store_id"], (nights["dayOfWeek"] - 1) % 7, strict=True)
    assert len(nights) > 0
    assert set(eves) <= set(zip(to_midnight["store_id"], to_midnight["dayOfWeek"], strict=True))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    sample: Path, tmp_path: Path
) -> None:
    write_sample(tmp_path / "again", shape=SMALL)
    write_sample(tmp_path / "other", shape=SMALL, seed=sample_data.DEFAULT_SEED + 1)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (sample / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (sample / name).read_bytes()


def test_the_classic_report_of_the_sample_stays_the_same(sample: Path) -> None:
    """Its hash is published: polls, hours and zones never change."""
    hashes = {name: hashlib.sha256((sample / name).read_bytes()).hexdigest() for name in FILES[:3]}
    assert hashes == {
        STATUS: "1d61e51f41420861ed00c7bff9db92cd271af05fe258af02493224158586b621",
        HOURS: "56409c76871a071a4faedbdcf1e63eb186cdb95b9e1d1d9a0de472125d966524",
        ZONES: "96b06b50292ceeef1458b67b2bc97b63318026b481bcbf975146ae49e5c2e7d1",
    }


def test_special_hours_and_exclusions_change_no_report_of_the_last_week(
    sample: Path, hours: pd.DataFrame
) -> None:
    special = pd.read_csv(sample / SPECIAL_HOURS)
    exclusions = pd.read_csv(sample / EXCLUSIONS)
    assert set(special["store_id"]) <= set(hours["store_id"])
    assert special["start_time_local"].isna().any()
    assert exclusions["reason"].nunique() == 2
    dates = pd.to_datetime(special["date"])
    ends = pd.to_datetime(exclusions["end_utc"].str.removesuffix(" UTC"))
    known = LATEST - pd.Timedelta(days=14), LATEST
    days_around = pd.Timedelta(days=2)
    assert not dates.between(known[0] - days_around, known[1] + days_around).any()
    assert (ends < known[0]).all()


def test_most_known_stores_have_attributes(stores: pd.DataFrame, zones: pd.DataFrame) -> None:
    assert stores["store_id"].is_unique
    assert set(stores["store_id"]) < set(zones["store_id"])
    assert 0.8 * SMALL.stores < len(stores) < SMALL.stores
    assert stores["name"].is_unique
    assert stores[["name", "brand", "region"]].notna().all(axis=None)
    for column in ("franchisee", "target_percent", "revenue_per_hour"):
        assert 0.5 < stores[column].notna().mean() < 1
    assert 3 <= stores["brand"].nunique() <= 5
    assert stores.groupby("franchisee")["brand"].nunique().max() == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_counts_do_not_depend_on_the_seed(tmp_path: Path, seed: int) -> None:
    write_sample(tmp_path / "sample", shape=SMALL, seed=seed)
    rows = [(tmp_path / "sample" / name).read_bytes().count(b"\n") - 1 for name in FILES[:3]]
    assert rows == [SMALL.polls, SMALL.hours_rows, SMALL.stores - SMALL.stores_without_zone]


def test_a_cached_sample_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cached_sample(tmp_path, shape=SMALL)
    monkeypatch.setattr(sample_data, "write_sample", _refuse(AssertionError("made twice")))
    assert cached_sample(tmp_path, shape=SMALL) == folder
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_another_process_may_finish_the_same_sample_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_the_race(folder: Path, **_: object) -> None:
        folder.mkdir()
        raise OSError("Directory not empty")

    monkeypatch.setattr(sample_data, "write_sample", lose_the_race)
    assert cached_sample(tmp_path, shape=SMALL).is_dir()


def test_other_shapes_and_seeds_have_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_data, "write_sample", lambda folder, **_: folder.mkdir())
    folders = {
        cached_sample(tmp_path, shape=SMALL),
        cached_sample(tmp_path, shape=SMALL, seed=1),
        cached_sample(tmp_path),
    }
    assert len(folders) == 3


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyarrow.csv.write_csv", _refuse(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        cached_sample(tmp_path, shape=SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(OSError, match="not empty"):
        write_sample(tmp_path / "mine", shape=SMALL)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_random_splits_are_exact_and_leave_no_weight_out() -> None:
    weights = np.array([0.0, 1e-9, 1.0, 5.0])
    counts = sample_data._share_out(100, weights, np.random.default_rng(0))
    assert counts.sum() == 100
    assert ((counts > 0) == (weights > 0)).all()


def test_extra_rows_are_spread_over_all_stores_with_split_days() -> None:
    rng = np.random.default_rng(0)
    fewest, some = (sample_data._draw_extra_rows(50, rows, rng) for rows in (50, 130))
    assert fewest.sum(axis=(1, 2)).tolist() == [1] * 50
    assert some.sum() == 130
    assert some.any(axis=(1, 2)).all()


def _refuse(error: BaseException) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise error

    return refuse
