"""The settings of functions: environment variables, checked when a function starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from store_monitoring.errors import StoreMonitoringError


class InvalidSettingsError(StoreMonitoringError):
    """An environment variable is missing or of the wrong type."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of all functions; `template.yaml` sets all of them for every function."""

    data_bucket: str
    inbox_bucket: str
    upload_queue_url: str
    report_table: str
    ingest_table: str
    state_machine_arn: str
    bucket_count: int
    poll_memory_days: int
    shard_polls: int
    map_concurrency: int
    download_link_seconds: int
    report_retention_days: int
    cors_origin: str
    notification_topic_arn: str
    store_event_limit: int
    future_poll_tolerance_minutes: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings: field ``data_bucket`` from ``DATA_BUCKET``, and so on.

        Raises
        ------
        InvalidSettingsError
            If a variable is missing, or should be a whole number and is not.
        """
        values: dict[str, str | int] = {}
        for name, kind in cls.__annotations__.items():
            variable = name.upper()
            try:
                values[name] = kind(environment[variable])
            except KeyError:
                raise InvalidSettingsError(f"{variable} is not set") from None
            except ValueError:
                raise InvalidSettingsError(f"{variable} is not a whole number") from None
        return cls(**values)  # type: ignore[arg-type]  # each has the type of its field
