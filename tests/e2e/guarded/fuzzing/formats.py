"""How schemathesis generates instants: within the years that the API accepts."""

from datetime import datetime

import schemathesis
from hypothesis import strategies as st

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31))

schemathesis.openapi.format("date-time", INSTANTS.map(lambda instant: f"{instant.isoformat()}Z"))
