"""More schedules, in a file of their own: another process can run them at the same time."""

import pytest

from tests.simulation.library import library_in_memory
from tests.simulation.simulate import explained, first_wrong
from tests.simulation.test_schedules import MANY_SEEDS

MORE_SEEDS = range(MANY_SEEDS.stop, 20_000)


@pytest.mark.exhaustive
def test_nothing_is_wrong_in_even_more_schedules() -> None:
    with library_in_memory():
        wrong = first_wrong(MORE_SEEDS)
        assert wrong is None, explained(wrong)
