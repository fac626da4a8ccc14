import pytest

from local.emulator.template import Template
from tests.template.translation import translated


@pytest.fixture(scope="session")
def template() -> Template:
    return translated()
