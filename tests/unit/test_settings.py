"""Settings from environment variables."""

from dataclasses import dataclass

import pytest

from store_monitoring.settings import BucketCount, EnvironmentSettings, InvalidSettingsError

ENVIRONMENT = {"DATA_BUCKET": "data", "CORS_ORIGIN": "", "BUCKET_COUNT": "64"}


@dataclass(frozen=True, slots=True)
class Settings(EnvironmentSettings):
    """Settings of some function."""

    data_bucket: str
    cors_origin: str
    bucket_count: BucketCount


def test_each_field_is_read_from_its_variable() -> None:
    settings = Settings.from_environment(ENVIRONMENT | {"PATH": "/bin"})
    assert settings == Settings(data_bucket="data", cors_origin="", bucket_count=64)


@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_a_missing_variable_is_named(variable: str) -> None:
    without = {name: value for name, value in ENVIRONMENT.items() if name != variable}
    with pytest.raises(InvalidSettingsError, match=f"^{variable} is not set$"):
        Settings.from_environment(without)


@pytest.mark.parametrize("value", ["", "many", "1.5"])
def test_a_value_that_is_not_a_number_is_named(value: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"^BUCKET_COUNT "):
        Settings.from_environment(ENVIRONMENT | {"BUCKET_COUNT": value})


@pytest.mark.parametrize("value", ["1", "1000"])
def test_the_ends_of_a_range_are_allowed(value: str) -> None:
    settings = Settings.from_environment(ENVIRONMENT | {"BUCKET_COUNT": value})
    assert settings.bucket_count == int(value)


@pytest.mark.parametrize("value", ["-1", "0", "1001"])
def test_a_number_out_of_range_is_refused_with_the_range(value: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"^BUCKET_COUNT is .* from 1 to 1,000$"):
        Settings.from_environment(ENVIRONMENT | {"BUCKET_COUNT": value})
