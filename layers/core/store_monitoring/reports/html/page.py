"""Render the page: figures, charts and the table of stores."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import IO

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from store_monitoring.domain.parameters import PollFilter
from store_monitoring.instants import to_text
from store_monitoring.reports.formats.rows import Batch
from store_monitoring.reports.html import texts
from store_monitoring.reports.html.charts import charts
from store_monitoring.reports.html.stores_table import COLUMNS, polled_and_down, stores_table
from store_monitoring.reports.html.summary import summary
from store_monitoring.reports.plan import Plan

WHOLE_TABLE_STORES = 20_000
WORST_STORES = 5_000  # rows of the table if the report has more than `WHOLE_TABLE_STORES`
_WORST_IN_SUMMARY = 10
_PACKAGE = "store_monitoring.reports.html"


@dataclass(frozen=True, slots=True)
class About:
    """The parameters of a report.

    Attributes
    ----------
    now_us : int
        End of the windows.
    snapshot : int
        Version of the ingest log that the report was planned from.
    memory_us : int
        Length of the poll memory (rule 9).
    poll_filter : PollFilter
    all_stores : bool
        Whether it covers all stores, not only requested ones.
    """

    now_us: int
    snapshot: int
    memory_us: int
    poll_filter: PollFilter
    all_stores: bool


@dataclass(frozen=True, slots=True)
class Inlined:
    """An inline style or script, and its hash for the page's Content-Security-Policy."""

    text: Markup
    source: str


class HtmlWriter:
    """Keeps all rows, since the page's figures need them, and writes the page at the end."""

    def __init__(self, output: IO[bytes], plan: Plan) -> None:
        self._output = output
        self._about = About(
            now_us=plan.now_us,
            snapshot=plan.version,
            memory_us=plan.memory_us,
            poll_filter=plan.poll_filter,
            all_stores=plan.covers_all_stores,
        )
        self._parts: list[pa.Table] = []
        self._rows: list[pa.Table] = []

    def write(self, batch: Batch) -> None:
        """Keep the rows."""
        self._parts.append(batch.part)
        self._rows.append(batch.rows)

    def close(self) -> None:
        """Write the page."""
        rows = pa.concat_tables(self._rows)
        write_html(pa.concat_tables(self._parts), rows, self._about, self._output)


def write_html(part: pa.Table, rows: pa.Table, about: About, output: IO[bytes]) -> None:
    """Write a report as one self-contained page.

    Parameters
    ----------
    part : table
        Rows of schema `DETAILED_PART`, ascending by `store_id`: exact microseconds.
    rows : table
        The same rows, as `detailed_rows` returns them.
    about : About
    output : binary stream
    """
    page_summary = summary(part, about.now_us)
    table = stores_table(part, rows)
    is_whole = len(table) <= WHOLE_TABLE_STORES
    page = _environment().get_template("page.html.j2")
    text = page.render(
        about=about,
        summary=page_summary,
        charts=charts(page_summary, about.memory_us),
        worst=polled_and_down(table, _WORST_IN_SUMMARY),
        columns=COLUMNS,
        is_whole=is_whole,
        table=(table if is_whole else table[:WORST_STORES]).to_pydict(),
        styles=[_inlined("theme.css", "store_monitoring"), _inlined("page.css")],
        scripts=[_inlined("chart_tips.mjs"), _inlined("stores_table.mjs")],
    )
    output.write(text.encode())


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {
        "number": "{:,}".format,
        "decimals": "{:,.2f}".format,
        "percent": texts.percent,
        "hours": texts.hours,
        "days": texts.days,
        "date": texts.date,
        "instant": texts.instant,
        "iso": to_text,
    }
    return environment


def _inlined(name: str, package: str = _PACKAGE) -> Inlined:
    text = resources.files(package).joinpath(name).read_text("utf-8")
    digest = b64encode(sha256(text.encode()).digest()).decode()
    return Inlined(Markup(text), f"'sha256-{digest}'")  # noqa: S704  # our own file
