"""The settings of functions: environment variables that are checked when a function starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Self, get_args

from store_monitoring.errors import StoreMonitoringError


class InvalidSettingsError(StoreMonitoringError):
    """An environment variable is missing, of the wrong type, or out of range."""


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a setting may have, from `minimum` to `maximum`, both included."""

    minimum: int
    maximum: int


# The ranges are those of the parameters in `template.yaml`.
BucketCount = Annotated[int, Range(1, 1_000)]
CoverageMinutes = Annotated[int, Range(1, 1_440)]
DownloadLinkSeconds = Annotated[int, Range(60, 900)]
FuturePollToleranceMinutes = Annotated[int, Range(0, 525_600)]
MapConcurrency = Annotated[int, Range(1, 1_000)]
PollMemoryDays = Annotated[int, Range(7, 3_650)]
ReportRetentionDays = Annotated[int, Range(1, 36_500)]
ShardPolls = Annotated[int, Range(1, 10_000_000_000)]
StoreEventLimit = Annotated[int, Range(0, 10_000)]


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """The base of a function's settings: each field is an environment variable.

    A field is a string, or a whole number with a range.

    >>> @dataclass(frozen=True, slots=True)
    ... class Settings(EnvironmentSettings):
    ...     data_bucket: str
    ...     bucket_count: BucketCount
    >>> Settings.from_environment({"DATA_BUCKET": "data", "BUCKET_COUNT": "64"})
    Settings(data_bucket='data', bucket_count=64)
    """

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings: field ``data_bucket`` from ``DATA_BUCKET``, and so on.

        Raises
        ------
        InvalidSettingsError
            If a variable is missing, or should be a whole number in a range and is not.
        """
        values = {
            field.name: _setting(field.name.upper(), field.type, environment)
            for field in fields(cls)
        }
        return cls(**values)


def _setting(variable: str, kind: Any, environment: Mapping[str, str]) -> str | int:
    """Return a variable's value; `kind` is `str`, or `int` annotated with a range."""
    try:
        text = environment[variable]
    except KeyError:
        raise InvalidSettingsError(f"{variable} is not set") from None
    if kind is str:
        return text
    _, allowed = get_args(kind)
    try:
        number = int(text)
    except ValueError:
        raise InvalidSettingsError(f"{variable} is not a whole number") from None
    if not allowed.minimum <= number <= allowed.maximum:
        raise InvalidSettingsError(
            f"{variable} is {number:,}, not from {allowed.minimum:,} to {allowed.maximum:,}"
        )
    return number
