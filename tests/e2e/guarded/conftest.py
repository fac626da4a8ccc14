"""A local cloud whose API requires a key, and which pages of one other origin may call.

It has ingested the small sample, and a store "1" that was always up.
"""

from collections.abc import Iterator

import pytest

from local.emulator.cloud import LocalCloud
from tests.e2e.conftest import User, ingest

KEY = "open-sesame"
ORIGIN = "https://example.com"
POLLS = b"store_id,status,timestamp_utc\n1,active,2024-10-14 12:00:00 UTC\n"


@pytest.fixture(scope="package")
def guarded(sample: dict[str, bytes]) -> Iterator[User]:
    """A user with the key."""
    with LocalCloud(parameter_overrides={"CorsOrigin": ORIGIN}, api_key=KEY) as cloud:
        user = User(cloud, {"x-api-key": KEY})
        ingest(user, sample | {"polls/one.csv": POLLS})
        yield user
