"""Charts as inline SVG: drawn by pygal; the page adds styles and tooltips."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import pygal
from markupsafe import Markup
from pygal.style import Style

from store_monitoring.reports.html.texts import days
from store_monitoring.reports.summary import NO_DATA, Bin, Summary

_WIDTH, _HEIGHT = 420, 220  # pixels, about the displayed size
_TEXT = 11


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: title, unit, summary in words, numbers, and SVG."""

    title: str
    unit: str
    summary: str
    columns: tuple[Bin, ...]
    svg: Markup


def charts(summary: Summary, memory_us: int) -> list[Chart]:
    """Return the page's charts, which are histograms of stores.

    Parameters
    ----------
    summary : Summary
    memory_us : int
        Length of the poll memory (rule 9).
    """
    no_outage, *_, whole_day = summary.longest_outage_last_week
    polled = sum(each.stores for each in summary.longest_outage_last_week)
    last_hour, *_, no_poll = summary.last_poll_age
    return [
        uptime_chart("Uptime in the week", summary.uptime_percent_last_week),
        _chart(
            "Longest outage in the week",
            "business time",
            f"{polled:,} stores have a known poll. "
            f"Without an outage: {no_outage.stores:,}. "
            f"With one of 24 hours of business time or more: {whole_day.stores:,}.",
            summary.longest_outage_last_week,
        ),
        _chart(
            "Age of the last poll",
            "hours or days",
            f"Polled in the last hour: {last_hour.stores:,}. No poll in the last "
            f"{days(memory_us)} days: {no_poll.stores:,}.",
            summary.last_poll_age,
        ),
    ]


def uptime_chart(title: str, columns: tuple[Bin, ...]) -> Chart:
    """Return a histogram of stores by percentage of uptime."""
    never_up, *_, always_up, unseen = columns
    return _chart(
        title,
        "% of known time",
        f"{sum(each.stores for each in columns):,} stores had business time. Up all of it: "
        f"{always_up.stores:,}. Never up: {never_up.stores:,}. No data: {unseen.stores:,}.",
        columns,
    )


def _chart(title: str, unit: str, summary: str, columns: tuple[Bin, ...]) -> Chart:
    return Chart(title, unit, summary, columns, _bars(title, columns))


def _bars(title: str, columns: Sequence[Bin]) -> Markup:
    """Return a bar chart: rounded values above the bars, exact ones in tooltips."""
    chart = pygal.Bar(
        width=_WIDTH,
        height=_HEIGHT,
        margin=1,
        margin_top=16,
        style=Style(label_font_size=_TEXT, value_font_size=_TEXT),
        css=(),
        js=(),
        no_prefix=True,
        disable_xml_declaration=True,
        show_legend=False,
        show_y_labels=False,
        print_values=True,
        print_values_position="top",
        truncate_label=-1,
        value_formatter=_abbreviated,
        x_labels=[column.label for column in columns],
    )
    all_stores = sum(column.stores for column in columns)
    chart.add(None, [_bar(column, all_stores) for column in columns])
    chart.add_xml_filter(_as_inline_svg)
    chart.add_xml_filter(lambda svg: _named(svg, title))
    return Markup(chart.render(is_unicode=True))  # noqa: S704  # pygal escapes its input


def _abbreviated(stores: float) -> str:
    """Return a number short enough to fit above a bar.

    >>> [_abbreviated(n) for n in (999, 1_234, 99_999, 1_234_567)]
    ['999', '1.2k', '100k', '1.2M']
    """
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if stores >= unit:
            digits = 1 if stores < 9.95 * unit else 0
            return f"{stores / unit:.{digits}f}{name}"
    return f"{stores:.0f}"


def _bar(column: Bin, all_stores: int) -> dict[str, object]:
    share = f", {column.stores / all_stores:.1%} of {all_stores:,}" if all_stores else ""
    return {
        "value": column.stores,
        "tooltip": f"{column.label}: {column.stores:,} stores{share}",
        "node": {"class": "unseen" if column.label == NO_DATA else "seen"},
    }


def _as_inline_svg(svg: Element) -> Element:
    """Remove what only a stand-alone SVG needs: some of it depends on the current date."""
    for parent in list(svg.iter()):
        for child in list(parent):
            is_comment = not isinstance(child.tag, str)
            is_main_title = parent is svg and child.tag == "title"
            if (
                is_comment
                or is_main_title
                or child.tag in ("defs", "desc")
                or "tooltip-overlay" in child.get("class", "")
            ):
                parent.remove(child)
    return svg


def _named(svg: Element, title: str) -> Element:
    svg.attrib.pop("id")
    svg.attrib |= {"class": "chart", "role": "img", "aria-label": title}
    return svg
