"""A local cloud whose API is open, with the small sample; a report has several small shards."""

from collections.abc import Iterator

import pytest

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User, ingest


@pytest.fixture(scope="package")
def user(sample: dict[str, bytes]) -> Iterator[User]:
    """A user of the cloud."""
    with LocalCloud(parameter_overrides={"ShardPolls": "1000000"}) as cloud:
        user = User(cloud)
        ingest(user, sample)
        yield user
