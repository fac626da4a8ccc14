"""Changes of clocks used by the tests, written by hand."""

from dataclasses import dataclass
from datetime import datetime

from tests.cases import utc


@dataclass(frozen=True, slots=True)
class Transition:
    """The instant at which the clocks of a zone change, and what they show before and after."""

    zone: str
    instant: datetime
    shown_before: datetime  # naive local time that the clocks reach …
    shown_after: datetime  # … and the one that they continue with

    def __str__(self) -> str:
        return f"{self.zone} {self.instant:%Y-%m-%d}"


def _transition(zone: str, instant: str, before: str, after: str) -> Transition:
    return Transition(
        zone, utc(instant), datetime.fromisoformat(before), datetime.fromisoformat(after)
    )


TRANSITIONS = tuple(
    _transition(*row)
    for row in [
        ("America/New_York", "2024-03-10 07:00", "2024-03-10 02:00", "2024-03-10 03:00"),
        ("America/New_York", "2024-11-03 06:00", "2024-11-03 02:00", "2024-11-03 01:00"),
        ("Europe/London", "2024-03-31 01:00", "2024-03-31 01:00", "2024-03-31 02:00"),
        ("Europe/London", "2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 01:00"),
        # half an hour
        ("Australia/Lord_Howe", "2024-04-06 15:00", "2024-04-07 02:00", "2024-04-07 01:30"),
        ("Australia/Lord_Howe", "2024-10-05 15:30", "2024-10-06 02:00", "2024-10-06 02:30"),
        ("America/St_Johns", "2024-03-10 05:30", "2024-03-10 02:00", "2024-03-10 03:00"),
        ("America/St_Johns", "2024-11-03 04:30", "2024-11-03 02:00", "2024-11-03 01:00"),
        # a minute past midnight, and back into the date before
        ("America/St_Johns", "2010-03-14 03:31", "2010-03-14 00:01", "2010-03-14 01:01"),
        ("America/St_Johns", "2010-11-07 02:31", "2010-11-07 00:01", "2010-11-06 23:01"),
        # midnight itself missing, and occurring twice
        ("America/Havana", "2024-03-10 05:00", "2024-03-10 00:00", "2024-03-10 01:00"),
        ("America/Havana", "2024-11-03 05:00", "2024-11-03 01:00", "2024-11-03 00:00"),
        ("Pacific/Apia", "2011-04-02 14:00", "2011-04-02 04:00", "2011-04-02 03:00"),
        ("Pacific/Apia", "2011-09-24 14:00", "2011-09-24 03:00", "2011-09-24 04:00"),
        # a whole date missing: Friday, 30 December
        ("Pacific/Apia", "2011-12-30 10:00", "2011-12-30 00:00", "2011-12-31 00:00"),
        # back for Ramadan, and on again
        ("Africa/Casablanca", "2024-03-10 02:00", "2024-03-10 03:00", "2024-03-10 02:00"),
        ("Africa/Casablanca", "2024-04-14 02:00", "2024-04-14 02:00", "2024-04-14 03:00"),
        # by the database's rules, since its tables end in 2037
        ("America/New_York", "2040-03-11 07:00", "2040-03-11 02:00", "2040-03-11 03:00"),
    ]
)
