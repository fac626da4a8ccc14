"""A user's files are found by their known names."""

from pathlib import Path

import pytest

from local.cli.inputs import InputError, find_inputs


def _folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).touch()
    return path


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (
            ("store_status.csv", "menu_hours.csv", "timezones.csv", "README.md"),
            ("polls/store_status.csv", "business_hours/menu_hours.csv", "timezones/timezones.csv"),
        ),
        (
            ("store status.csv", "Menu hours.csv", "bq-results-20230125-202210-1674678181880.csv"),
            (
                "polls/store status.csv",
                "business_hours/Menu hours.csv",
                "timezones/bq-results-20230125-202210-1674678181880.csv",
            ),
        ),
        (
            ("store_status.csv.gz", "business_hours.csv", "store_timezone.csv"),
            (
                "polls/store_status.csv.gz",
                "business_hours/business_hours.csv",
                "timezones/store_timezone.csv",
            ),
        ),
        (("store_status.csv",), ("polls/store_status.csv",)),
        (("stores.csv", "store_status.csv"), ("polls/store_status.csv", "attributes/stores.csv")),
    ],
)
def test_files_are_found_polls_first(
    tmp_path: Path, names: tuple[str, ...], keys: tuple[str, ...]
) -> None:
    assert tuple(file.key for file in find_inputs(_folder(tmp_path, *names))) == keys


def test_missing_polls_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"store_status"):
        find_inputs(_folder(tmp_path, "menu_hours.csv"))


def test_two_files_of_a_kind_are_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "store_status.csv", "timezones.csv", "store_timezone.csv")
    with pytest.raises(InputError, match=r"store_timezone\.csv and timezones\.csv are both"):
        find_inputs(folder)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        find_inputs(tmp_path / "nowhere")
