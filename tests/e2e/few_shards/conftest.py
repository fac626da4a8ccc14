"""A local cloud with a few small stores, in which a report has two shards.

Its tests inject faults, delete objects, and do much at once. They leave it as they found it, or
with other `inputs`.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import User
from tests.e2e.faulty import Trials, trials_with_few_shards


@pytest.fixture(scope="package")
def trials() -> Iterator[Trials]:
    with trials_with_few_shards() as trials:
        yield trials


@pytest.fixture(scope="package")
def user(trials: Trials) -> User:
    return trials.user
