"""The report as a page: its figures, its security policy, and hostile store ids."""

import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pygal.svg
import pytest

from store_monitoring.domain.parameters import DAY_US, HOUR_US, Period, PeriodUnit, PollFilter
from store_monitoring.instants import to_us
from store_monitoring.reports.formats.rows import detailed_rows
from store_monitoring.reports.formats.writers import Aggregates, Rows
from store_monitoring.reports.groups import GroupsBuilder
from store_monitoring.reports.html import page as page_module
from store_monitoring.reports.html.page import TABLE_STORES, About, write_html
from store_monitoring.reports.measures import measures
from store_monitoring.reports.plan import Plan
from store_monitoring.reports.report import Format
from store_monitoring.reports.request import Condition, ReportRequest
from store_monitoring.reports.summary import SummaryBuilder
from store_monitoring.storage.keys import report_key
from store_monitoring.storage.schemas import TOTAL_COLUMNS
from testing.parts import part_with
from testing.pipeline import Pipeline
from tests.parts import NOW, part_of, store, week, without_data

OCTOBER = Period(date(2024, 10, 1), date(2024, 11, 1), PeriodUnit.DAY)
ABOUT = About(
    now_us=to_us(NOW),
    snapshot=7,
    memory_us=14 * DAY_US,
    poll_filter=PollFilter.ALL,
    selection="all that are known",
)
GREATEST_BYTES = 1_000_000
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "\"><b a='b'>",
    "&lt;{{ 7 * 7 }}{% raw %}",
    "Zürich 東京 🍜 \u2028\u202e",
]


PLAN = Plan("r", 7, ABOUT.now_us, ABOUT.now_us, 14 * DAY_US, PollFilter.ALL, (), False, ())


def page_of(*stores: dict[str, Any], about: About = ABOUT, group_by: tuple[str, ...] = ()) -> str:
    return page_of_part(part_of(stores), about, group_by)


def page_of_part(part: pa.Table, about: About = ABOUT, group_by: tuple[str, ...] = ()) -> str:
    exact = measures(part, Decimal(99))
    summary = SummaryBuilder(PLAN)
    summary.add(exact)
    groups = GroupsBuilder(group_by)
    groups.add(exact)
    aggregates = Aggregates(summary.summary(), Rows(groups.table()) if group_by else None)
    output = io.BytesIO()
    write_html(detailed_rows(exact), aggregates, about, output)
    return output.getvalue().decode()


class Parsed(HTMLParser):
    """A parsed page: its tags with attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def table(page: str) -> dict[str, list[Any]]:
    """Return the data of the page's table of stores."""
    found = re.search(r'<script id="stores-data" type="application/json">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def figures(page: str) -> list[str]:
    found = re.findall(r'<dd class="figure">(.*?)</dd>', page)
    return [Parsed(figure).text for figure in found]  # some are links


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:[,.]\d+)*", text)


def notes(page: str) -> list[list[str]]:
    """Return the numbers in the note under each figure."""
    found = re.findall(r'<dd class="figure">.*?</dd>\s*<dd>(.*?)</dd>', page)
    return [numbers(Parsed(note).text) for note in found]


def facts(page: str) -> dict[str, str]:
    """Return the parameters of the report, by their names."""
    found = page.partition('<dl class="facts">')[2].partition("</dl>")[0]
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", found))


def chart(page: str, title: str) -> dict[str, int]:
    """Return the numbers of a chart."""
    figure, _, _ = page[page.index(f"<h3>{title} ") :].partition("</figure>")
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="number">(.*?)</td>', figure)
    return {Parsed(label).text: int(stores.replace(",", "")) for label, stores in rows}


# --- numbers --------------------------------------------------------------------------------


def test_the_table_has_the_report_s_values(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest(
        "polls/x.csv",
        "store_id,status,timestamp_utc\n"
        "a,active,2024-10-14 12:00:00 UTC\n"
        "b,active,2024-10-14 09:00:00 UTC\n"
        "b,inactive,2024-10-14 10:20:00.25 UTC\n"
        "c,active,2024-10-14 11:00:00 UTC\n",
    )
    pipeline.ingest(
        "business_hours/x.csv",
        "store_id,day,start_time_local,end_time_local\nc,0,00:00,01:00\nd,6,10:00,13:00\n",
    )
    pipeline.report(ReportRequest(formats=(Format.JSON, Format.HTML)))
    records = json.loads((tmp_path / report_key("r", "json")).read_bytes())["stores"]
    texts = table((tmp_path / report_key("r", "html")).read_text("utf-8"))
    rows = [dict(zip(texts, values, strict=True)) for values in zip(*texts.values(), strict=True)]
    by_id = {row["store_id"]: row for row in rows}
    assert by_id.keys() == {record["store_id"] for record in records}
    for record in records:
        row = by_id[record["store_id"]]
        seconds = row.pop("last_poll_at")
        at = record["last_poll_at"]
        assert seconds == (at and int(datetime.fromisoformat(at).timestamp()))
        assert row == {name: record[name] for name in row}


def test_figures_are_of_all_stores_together() -> None:
    page = page_of(
        store("a", uptime_last_hour_us=HOUR_US, downtime_last_hour_us=0, **week(100, 0)),
        store("b", uptime_last_hour_us=0, downtime_last_hour_us=HOUR_US, **week(0, 20)),
        store("c", uptime_last_hour_us=0, downtime_last_hour_us=0, **week(3, 1)),
        store("d", **without_data(10)),
    )
    assert figures(page)[:3] == ["50.0%", "50.0%", "83.1%"]
    assert notes(page)[2] == ["103", "124", "10"]  # up, known, no data


def test_numbers_of_stores_now() -> None:
    page = page_of(
        store("up"),
        store("down", last_poll_active=False),
        store("closed", last_poll_active=False, open_now=False),
        store("silent", **without_data()),
        store("silent and closed", **without_data(), open_now=False),
    )
    assert figures(page)[3] == "1"
    assert notes(page)[3] == ["1", "1", "2"]  # up, closed, no data


def test_targets_and_lost_revenue() -> None:
    page = page_of(
        store("a", revenue_per_hour=Decimal("10.5"), **week(50, 50)),
        store("b", target_percent=Decimal(50), **week(50, 50)),
        store("c", **without_data()),
    )
    assert figures(page)[4:] == ["1", "525.00"]
    assert notes(page)[4] == ["2"]
    assert len(figures(page_of(store("a")))) == 5  # without a known revenue, none is shown


def test_groups() -> None:
    stores = [
        store("a", attributes=[("brand", "<b>")], **week(60, 40)),
        store("b", attributes=[("brand", "<b>")], **week(100, 0)),
        store("c", **without_data()),
    ]
    page = page_of(*stores, group_by=("brand",))
    section = page[page.index('id="groups"') : page.index('id="outages"')]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in section.split("<tr>")[2:]]
    assert [row[:7] for row in rows] == [
        ["&lt;b&gt;", "2", "0", "80.0%", "160.00", "40.00", "1"],
        ["none", "1", "1", "no data", "0.00", "0.00", "0"],
    ]
    assert 'id="groups"' not in page_of(*stores)


def test_of_many_groups_the_worst_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "GROUPS", 2)
    stores = [
        store(f"{percent}", attributes=[("brand", f"<{percent}>")], **week(percent, 100 - percent))
        for percent in (60, 20, 40)
    ]
    page = page_of(*stores, group_by=("brand",))
    section = page[page.index('id="groups"') : page.index('id="outages"')]
    assert re.findall(r"&lt;(\d+)&gt;", section) == ["20", "40"]
    assert {"2", "3"} <= set(numbers(Parsed(section.partition("<table>")[0]).text))


def test_outages_by_hour_and_zone() -> None:
    page = page_of(
        store("a", outage_hours=[0, 0, 30], outages_last_week=3, timezone=None),
        store("b", outage_hours=[30], outages_last_week=1, timezone="Asia/Tokyo"),
    )
    heat = page[page.index('class="heat"') : page.index("By time zone")]
    cells = re.findall(r'<td class="number level-(\d)">(\d+)</td>', heat)
    assert len(cells) == 7 * 24
    assert [(at, *cell) for at, cell in enumerate(cells) if cell != ("0", "0")] == [
        (0, "4", "2"),
        (30, "4", "2"),
    ]
    zones = re.findall(r'<th scope="row">(.*?/.*?)</th><td.*?>(.*?)</td><td.*?>(.*?)</td>', page)
    assert zones == [("America/Chicago", "1", "3"), ("Asia/Tokyo", "1", "1")]


def test_the_longest_outages_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "LONGEST_OUTAGES", 2)
    pipeline = Pipeline(tmp_path)
    polls = ["store_id,status,timestamp_utc", "now,active,2024-10-14 12:00:00"]
    for store_id, minutes in (("<a>", 20), ("b", 40), ("c", 30)):
        polls.append(f"{store_id},inactive,2024-10-14 10:00:00")
        polls.append(f"{store_id},active,2024-10-14 10:{minutes}:00")
    pipeline.ingest("polls/x.csv", "\n".join(polls))

    def listed(request: ReportRequest) -> list[str]:
        pipeline.report(request)
        page = (tmp_path / report_key("r", "html")).read_text("utf-8")
        _, _, after = page.partition('id="longest"')
        return re.findall(r'class="id">(.*?)<', after.partition("</section>")[0])

    html = (Format.HTML,)
    assert listed(ReportRequest(formats=html, include_outages=True)) == ["b", "c"]
    only = ReportRequest(formats=html, include_outages=True, store_ids=("<a>",))
    assert listed(only) == ["&lt;a&gt;"]
    assert listed(ReportRequest(formats=html)) == []


def test_a_warning_is_shown() -> None:
    later = replace(PLAN, now_us=PLAN.now_us + 20 * DAY_US)
    [warning] = later.warnings
    summary = SummaryBuilder(later)
    exact = measures(part_of([store()]), Decimal(99))
    summary.add(exact)
    output = io.BytesIO()
    write_html(detailed_rows(exact), Aggregates(summary.summary(), None), ABOUT, output)
    assert warning.message in Parsed(output.getvalue().decode()).text
    assert 'role="alert"' not in page_of(store())


def test_the_charts_are_those_of_the_summary() -> None:
    page = page_of(
        store("a", **without_data(10)),
        store("b", **week(0, 10), longest_outage_last_week_us=8 * HOUR_US),
        store("c", **week(10, 0), longest_outage_last_week_us=0),
    )
    uptime = chart(page, "Uptime in the week")
    assert {label: count for label, count in uptime.items() if count} == {
        **{"0": 1, "100": 1, "no data": 1},
    }
    outages = chart(page, "Longest outage in the week")
    assert {label: count for label, count in outages.items() if count} == {"none": 1, "8–12 h": 1}
    ages = chart(page, "Age of the last poll")
    assert {label: count for label, count in ages.items() if count} == {"≤ 1 h": 2, "no data": 1}


def test_the_worst_stores_come_first() -> None:
    """By percentage of uptime and id; stores without one come last."""
    page = page_of(
        store("a", **without_data()),
        store("b", **week(0, 0)),
        store("c", **week(0, 1)),
        store("d", **week(0, 2)),
        store("f", **week(1, 99)),
        store("g", **week(99, 1)),
        store("h", **week(100, 0)),
    )
    assert table(page)["store_id"] == ["c", "d", "f", "g", "h", "a", "b"]
    assert worst(page) == ["c", "d", "f", "g"]


def worst(page: str) -> list[str]:
    """Return the ids in the table of the worst stores."""
    section = page[page.index('id="worst"') : page.index('id="outages"')]
    return re.findall(r'class="id">(.*?)<', section)


def test_the_page_has_the_report_s_parameters() -> None:
    page = page_of(store())
    of_all = facts(page)
    assert "14 October 2024, 23:55 UTC" in Parsed(page).text
    assert {name: numbers(fact) for name, fact in of_all.items()} == {
        "Stores": ["1"],
        "Polls": ["14"],
        "Snapshot": ["7"],
    }
    asked = About(
        now_us=ABOUT.now_us,
        snapshot=7,
        memory_us=20 * DAY_US,
        poll_filter=PollFilter.BUSINESS_HOURS,
        selection="of 3 named by id",
    )
    of_some = facts(page_of(store(), about=asked))
    assert numbers(of_some["Polls"]) == ["20"]
    assert of_some["Polls"] != of_all["Polls"].replace("14", "20")
    assert of_some["Stores"] != of_all["Stores"]


def test_a_report_of_chosen_stores_says_so(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("polls/x.csv", "store_id,status,timestamp_utc\na,active,2024-10-14 12:00:00\n")
    pipeline.report(ReportRequest(store_ids=("a",), formats=(Format.HTML,)))
    of_some = facts(page_of(store(), about=replace(ABOUT, selection="of 1 named by id")))
    page = (tmp_path / report_key("r", "html")).read_text("utf-8")
    assert facts(page)["Stores"] == of_some["Stores"]


@pytest.mark.parametrize("period", [None, OCTOBER])
def test_a_page_says_which_stores_it_is_about(tmp_path: Path, period: Period | None) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.ingest("polls/x.csv", "store_id,status,timestamp_utc\na,active,2024-10-14 12:00:00\n")
    pipeline.ingest("attributes/x.csv", "store_id,brand\na,<i>Nori\n")
    where = (Condition("brand", ("", "<i>Nori")),)
    pipeline.report(
        ReportRequest(store_ids=("a",), where=where, formats=(Format.HTML,), period=period)
    )
    page = (tmp_path / report_key("r", "html")).read_text("utf-8")
    assert facts(page)["Stores"] == "1, of 1 named by id, with brand: none or &lt;i&gt;Nori"


def test_a_report_of_no_stores() -> None:
    page = page_of()
    assert figures(page) == ["no data", "no data", "no data", "0", "0"]
    assert table(page)["store_id"] == []
    assert set(chart(page, "Uptime in the week").values()) == {0}
    assert worst(page) == []


# --- many stores ----------------------------------------------------------------------------


def many(count: int) -> pa.Table:
    """Return rows of stores, whose uptime grows with their id; the last tenth was never polled."""
    rng = np.random.default_rng(count)
    up_us = np.sort(rng.integers(0, 100 * HOUR_US, count))
    never = np.arange(count) >= count - count // 10
    columns = {
        **dict.fromkeys(TOTAL_COLUMNS, rng.integers(0, HOUR_US, count)),
        "store_id": sorted(str(UUID(bytes=rng.bytes(16), version=4)) for _ in range(count)),
        "uptime_last_week_us": up_us,
        "downtime_last_week_us": 100 * HOUR_US - up_us,
        "no_data_last_week_us": np.zeros(count),
        "polls_last_week": np.where(never, 0, 30),
        "last_poll_at": pa.array(ABOUT.now_us - rng.integers(0, DAY_US, count), mask=never),
        "last_poll_active": pa.array(rng.random(count) < 0.5, mask=never),
        "open_now": rng.random(count) < 0.9,
        "outages_last_week": rng.integers(0, 30, count),
    }
    return part_with(columns)


def test_a_page_has_all_stores_up_to_5000() -> None:
    page = page_of_part(many(TABLE_STORES))
    assert len(table(page)["store_id"]) == 5_000
    assert len(page.encode()) <= GREATEST_BYTES


def test_a_page_of_more_stores_has_the_worst_ones() -> None:
    part = many(50_000)
    page = page_of_part(part)
    assert table(page)["store_id"] == part.column("store_id")[:TABLE_STORES].to_pylist()
    section = page[page.index('id="stores"') : page.index('id="without-script"')]
    assert {"50,000", "5,000"} <= set(numbers(section))
    assert sum(chart(page, "Age of the last poll").values()) == 50_000
    assert len(page.encode()) <= GREATEST_BYTES


# --- security --------------------------------------------------------------------------------


def test_hostile_ids_are_text() -> None:
    page = page_of(*(store(store_id) for store_id in sorted(HOSTILE)))
    plain = page_of(*(store(str(number)) for number, _ in enumerate(HOSTILE)))
    assert sorted(table(page)["store_id"]) == sorted(HOSTILE)
    assert Parsed(page).tags == Parsed(plain).tags  # not a tag or attribute more
    text = "".join(Parsed(page).texts)
    assert all(store_id in text for store_id in HOSTILE)


def inlined(page: str) -> Iterator[tuple[str, str]]:
    """Yield the directive and the text of each inline style and script."""
    for tag, attributes, text in re.findall(
        r"<(style|script)([^>]*)>(.*?)</\1>", page, flags=re.DOTALL
    ):
        if "application/json" not in attributes:
            yield f"{tag}-src", text


def test_the_policy_allows_only_inlined_styles_and_scripts() -> None:
    page = page_of(store())
    (content,) = (
        attributes["content"]
        for tag, attributes in Parsed(page).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert content
    policy = {directive: set(rest) for directive, *rest in map(str.split, content.split(";"))}
    wanted: dict[str, set[str]] = {"style-src": set(), "script-src": set()}
    for directive, text in inlined(page):
        digest = b64encode(sha256(text.encode()).digest()).decode()
        wanted[directive].add(f"'sha256-{digest}'")
    nothing = {name: {"'none'"} for name in ("default-src", "base-uri", "form-action")}
    assert policy == wanted | nothing


def test_the_page_is_self_contained() -> None:
    for tag, attributes in Parsed(page_of(store())).tags:
        assert tag not in ("link", "iframe", "img", "base", "form")
        assert not {"src", "style", "srcset", "action"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")


def test_the_same_report_is_the_same_page_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tomorrow(date):
        @classmethod
        def today(cls) -> "Tomorrow":
            return cls(2999, 12, 31)

    today = page_of(store())
    monkeypatch.setattr(pygal.svg, "date", Tomorrow)
    assert page_of(store()) == today
