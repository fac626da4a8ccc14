"""Requests for reports, as stored with each report."""

from dataclasses import dataclass, replace
from typing import Any, Self

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.instants import from_text, to_text
from store_monitoring.reports.report import Format


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A request for a report.

    Attributes
    ----------
    as_of_us : int or None
        End of the windows; None for the greatest poll timestamp.
    poll_filter : PollFilter
    store_ids : tuple of str or None
        The requested stores, ascending; None for all.
    formats : tuple of Format
        The requested formats. CSV is written in any case.
    """

    as_of_us: int | None = None
    poll_filter: PollFilter = PollFilter.ALL
    store_ids: tuple[str, ...] | None = None
    formats: tuple[Format, ...] = (Format.CSV,)

    @property
    def covers_all_stores_now(self) -> bool:
        """Whether the report covers all stores, as of the last poll, with all polls."""
        return replace(self, formats=()) == ReportRequest(formats=())

    @classmethod
    def from_json(cls, stored: Any) -> Self:
        """Read a stored request.

        >>> request = ReportRequest(as_of_us=1_728_864_000_000_000, store_ids=("1", "2"))
        >>> ReportRequest.from_json(request.to_json()) == request
        True
        """
        as_of, store_ids = stored.get("as_of"), stored.get("store_ids")
        return cls(
            None if as_of is None else from_text(as_of),
            PollFilter(stored.get("poll_filter", PollFilter.ALL)),
            None if store_ids is None else tuple(store_ids),
            tuple(map(Format, stored.get("formats", [Format.CSV]))),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` parses."""
        return {
            "as_of": None if self.as_of_us is None else to_text(self.as_of_us),
            "store_ids": None if self.store_ids is None else list(self.store_ids),
            "poll_filter": self.poll_filter.value,
            "formats": [format_.value for format_ in self.formats],
        }
