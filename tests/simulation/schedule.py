"""What happens in one schedule: a seed becomes settings, faults, and steps of clients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Any

from store_monitoring.domain.parameters import Period, PeriodUnit
from store_monitoring.instants import from_text
from store_monitoring.reports.report import Status
from store_monitoring.reports.request import Condition, ReportRequest
from tests.simulation.cloud import FunctionError
from tests.simulation.scheduler import Fault
from tests.simulation.world import Settings, World

LARGE_EVERY = 10
"""Of so many schedules, one is large: up to five steps, files of all kinds, bulk uploads of four.

In the others, two or three steps work on the same data: files of one or two kinds, bulk uploads of
two of a kind.
"""

_POLLS = "store_id,status,timestamp_utc\n"
_HOURS = "store_id,day_of_week,start_time_local,end_time_local\n"
_ZONES = "store_id,timezone_str\n"

FILES = {
    "polls 1": _POLLS
    + "a,active,2024-10-10 12:00:00 UTC\nb,inactive,2024-10-13 01:00:00 UTC\n"
    + "d,active,2024-10-01 00:00:00 UTC\n",
    "polls 2": _POLLS + "a,inactive,2024-10-13 12:00:00 UTC\nb,active,2024-10-13 13:00:00 UTC\n",
    "polls 3": _POLLS + "b,inactive,2024-10-14 12:00:00 UTC\nd,active,2024-10-14 00:00:00 UTC\n",
    "polls 4": _POLLS + "a,active,2024-10-14 09:00:00 UTC\nx,active,not a time\n",
    "business_hours 1": _HOURS
    + "".join(f"a,{day},09:00,17:00\nb,{day},10:00,20:00\n" for day in range(7)),
    "business_hours 2": _HOURS + "".join(f"b,{day},08:00,23:59\n" for day in range(7)),
    "business_hours 3": _HOURS + "a,0,10:00,12:00\nd,1,00:00,06:00\nd,9,00:00,06:00\n",
    "timezones 1": _ZONES + "a,Asia/Tokyo\nb,America/New_York\n",
    "timezones 2": _ZONES + "b,UTC\nd,Asia/Kolkata\n",
    "special_hours 1": "store_id,date,start_time_local,end_time_local\na,2024-10-13,,\n",
    "exclusions 1": "store_id,start_utc,end_utc,reason\n"
    + "b,2024-10-12 00:00:00,2024-10-13 06:00:00,storm\n",
    "attributes 1": "store_id,brand\na,Nori\nd,Oka\n",
    "timezones bad": "store,zone\na,UTC\n",
    "polls bad": "",
}
"""Small files by kind: each changes something that reports show; bad ones fail."""

_KINDS = ("attributes", "business_hours", "exclusions", "polls", "special_hours", "timezones")
_KINDS_OF_SEVERAL_FILES = ("business_hours", "polls", "timezones")

REQUESTS = {
    "default": ReportRequest(),
    "as of": ReportRequest(as_of_us=from_text("2024-10-13T20:00:00Z")),
    "one store": ReportRequest(store_ids=("b",)),
    "days": ReportRequest(period=Period(date(2024, 10, 12), date(2024, 10, 15), PeriodUnit.DAY)),
    "months": ReportRequest(period=Period(date(2024, 9, 1), date(2024, 11, 1), PeriodUnit.MONTH)),
    "brand": ReportRequest(where=(Condition("brand", ("Nori",)),), group_by=("brand",)),
}


def is_bad(name: str) -> bool:
    """Return whether a file fails."""
    return name.endswith("bad")


@dataclass(frozen=True)
class Step:
    """Something that a client does.

    Attributes
    ----------
    name
        The name of a function in `CLIENTS`.
    after
        When it begins, in seconds.
    of
        What it is about: a file, a request, a store.
    key
        The key of an uploaded object, or an idempotency key.
    """

    name: str
    after: float
    of: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.after:8.1f} s  {self.name} {self.of} {self.key}".rstrip()


@dataclass(frozen=True)
class Schedule:
    """A seed, and what follows from it."""

    seed: int
    steps: tuple[Step, ...]
    faults: tuple[tuple[Fault, float], ...]
    settings: Settings
    slowness: float

    @classmethod
    def of(cls, seed: int, focus: Sequence[str] = ()) -> "Schedule":
        """Make the schedule of a seed; some have no faults, and some only a few kinds.

        Every kind of step, fault and setting occurs in small worlds and in large ones.
        With `focus`, it has only these kinds of steps.
        """
        rng = Random(seed)
        faults = [fault for fault in Fault if rng.random() < 0.4] if rng.random() < 0.75 else []
        settings = Settings(
            concurrency=rng.choice((2, 6, 20)),
            ingest_concurrency=rng.choice((2, 8)),
            lateness=rng.choice((0.1, 3.0, 100.0)),
            duplicates=rng.choice((0.0, 0.0, 0.2)),
            inline_shards=rng.choice((40, 40, 0)),
        )
        gap = rng.choice((0.2, 2.0, 10.0, 3000.0))
        # Most schedules are about a few kinds of steps.
        weights: dict[str, float] = {
            name: rng.choice((0, 1, 4)) * weight for name, weight in _WEIGHTS.items()
        }
        weights["upload"] += 1
        if focus:
            weights = {name: _WEIGHTS[name] for name in focus}
        at = 0.0
        steps: list[Step] = []
        if rng.random() < 0.7:  # without polls, every report fails
            first = rng.choice(("polls 1", "polls 2", "polls 1, polls 2"))
            name = "upload several" if "," in first else "upload"
            steps.append(Step(name, at, first, "polls/p.csv"))
            at = rng.choice((0.0, gap))
        is_large = seed % LARGE_EVERY == 0
        kinds = _KINDS if is_large else (rng.choice(_KINDS), rng.choice(_KINDS_OF_SEVERAL_FILES))
        for _ in range(rng.randint(2, 5 if is_large else 3) - len(steps)):
            steps.append(_step(rng, weights, at, kinds))
            at += gap * rng.randint(1, 3)
        chances = tuple((fault, rng.choice((0.005, 0.02, 0.1))) for fault in faults)
        return cls(seed, tuple(steps), chances, settings, rng.choice((0.01, 0.1, 2.0)))

    def smaller(self) -> list["Schedule"]:
        """Return schedules without one step or kind of fault, or with one setting as by default."""
        default = Settings()
        return [
            *(replace(self, steps=_without(self.steps, i)) for i in range(len(self.steps))),
            *(replace(self, faults=_without(self.faults, i)) for i in range(len(self.faults))),
            *(
                replace(self, settings=replace(self.settings, **{name: value}))
                for name, value in vars(default).items()
                if getattr(self.settings, name) != value
            ),
        ]

    def __str__(self) -> str:
        faults = ", ".join(f"{kind} {chance:.1%}" for kind, chance in self.faults) or "none"
        lines = [f"seed {self.seed}: {self.settings}, faults: {faults}", *map(str, self.steps)]
        return "\n".join(lines)


def _without(values: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return values[:index] + values[index + 1 :]


_WEIGHTS = {
    "upload": 6,
    "upload several": 2,
    "report": 4,
    "compact": 3,
    "take back": 2,
    "schedule": 1,
    "stop": 1,
    "delete store": 1,
}


def _step(rng: Random, weights: dict[str, float], at: float, kinds: Sequence[str]) -> Step:
    [name] = rng.choices(list(weights), list(weights.values()))
    match name:
        case "upload":
            file = rng.choice(_files(kinds))
            return Step(name, at, file, f"{file.split()[0]}/{rng.choice('ppq')}.csv")
        case "upload several":
            files = "polls 1, timezones 2, polls 3, business_hours 3"
            if kinds is not _KINDS:
                good = [file for file in _files(kinds[-1:]) if not is_bad(file)]
                files = ", ".join(rng.sample(good, 2))
            return Step(name, at, files)
        case "compact":
            return Step(name, at, rng.choice(("once", "twice")))
        case "report":
            return Step(name, at, rng.choice([*REQUESTS, "default"]), rng.choice(("", "", "k")))
        case "delete store":
            return Step(name, at, "b")
        case "schedule":
            return Step(name, at, "06:00")
    return Step(name, at)


def _files(kinds: Sequence[str]) -> list[str]:
    """Return the files of some kinds; those of polls twice."""
    often = [*FILES, *(file for file in FILES if file.startswith("polls "))]
    return [file for file in often if file.split()[0] in kinds]


# The steps of clients.


def _upload(world: World, step: Step) -> None:
    upload = world.upload(step.key, FILES[step.of].encode())
    world.acknowledged.append((upload, step.of))


def _upload_several(world: World, step: Step) -> None:
    for number, file in enumerate(step.of.split(", ")):
        _upload(world, Step("upload", step.after, file, f"{file.split()[0]}/{number}.csv"))


def _report(world: World, step: Step) -> None:
    key = f"{step.key} {step.of}" if step.key else None
    report_id = None
    for _ in range(1 if key is None else 2):  # a client with a key may ask again
        report_id = (
            _invoke_until_done(world, "trigger_report", (REQUESTS[step.of], key)) or report_id
        )
        if key is not None and report_id is not None:
            world.by_key.setdefault(key, set()).add(report_id)
    if report_id is None:
        return
    rng, retries = world.scheduler.task.rng, 0
    for _ in range(5):
        world.scheduler.sleep(rng.expovariate(1 / 100))
        report = _invoke_until_done(world, "get_report", report_id)
        if report is None or report.status is Status.COMPLETE:
            return
        if report.status is Status.FAILED and retries < 1:
            retries += 1
            _invoke_until_done(world, "retry_report", report_id)


def _compact(world: World, step: Step) -> None:
    for _ in range(2 if step.of == "twice" else 1):  # events are delivered at least once
        world.functions.invoke_later("compact", None)


def _schedule(world: World, step: Step) -> None:
    world.functions.invoke_later("start_scheduled_report", step.of)
    world.functions.invoke_later("start_scheduled_report", step.of)


def _take_back(world: World, step: Step) -> None:
    items = world.dynamodb.tables["ingests"].values()
    ids = {item["ingest_id"] for item in items if "ingest_id" in item}
    ids |= {item["entry"] for item in items if item["log"] == "replaced"}  # compactions: refused
    if ids:
        ingest_id = world.scheduler.task.rng.choice(sorted(ids))
        _invoke_until_done(world, "take_back_ingest", ingest_id)


def _delete_store(world: World, step: Step) -> None:
    world.deleted.add(step.of)
    _invoke_until_done(world, "delete_store", step.of)


def _stop(world: World, step: Step) -> None:
    for execution in list(world.executions.executions.values()):
        world.executions.stop(execution)


def _invoke_until_done(world: World, function: str, event: Any) -> Any:
    """Invoke a function, up to four times; return None if every attempt fails."""
    for attempt in range(4):
        try:
            return world.functions.invoke(function, event)
        except FunctionError as error:
            world.scheduler.say(f"{function}: {error.name}")
            world.scheduler.sleep(2**attempt)
    return None


CLIENTS: dict[str, Callable[[World, Step], None]] = {
    "upload": _upload,
    "upload several": _upload_several,
    "report": _report,
    "compact": _compact,
    "schedule": _schedule,
    "take back": _take_back,
    "delete store": _delete_store,
    "stop": _stop,
}
