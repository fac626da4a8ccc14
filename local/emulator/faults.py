"""Faults: which failures to inject into which calls, and when.

A line of text describes each call: its caller, its operation and its resource. So does a line for
each state that an execution enters. A fault selects lines by a pattern:

- ``local-PlanAndMergeFunction-* s3:PutObject local-databucket/reports/*/plan.json``
- ``StepFunctions lambda:Invoke local-PlanAndMergeFunction merge``, with the step of the event
- ``StepFunctions states:EnterState Merge``
- ``Lambda lambda:Deliver local-IngestFunction``, of an asynchronous event
"""

import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self


class Kind(StrEnum):
    """Kinds of faults."""

    THROTTLED = "throttled"
    """The service refuses the call: too many at once."""
    BROKEN = "broken"
    """The service returns an internal error and does nothing."""
    SILENT = "silent"
    """Nothing is done. The connection ends after `Fault.seconds` without a response."""
    RESET = "reset"
    """Nothing is done, and the connection ends."""
    LOST = "lost"
    """The call is done, but the connection ends before the response."""
    SLOW = "slow"
    """The call is done, `Fault.seconds` late."""
    TWICE = "twice"
    """The call is done twice."""
    KILLED = "killed"
    """The execution environment of the function that makes the call is killed before it is done."""
    ABORTED = "aborted"
    """The execution that enters the state is stopped."""
    TIMED_OUT = "timed out"
    """The execution that enters the state times out."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject.

    Attributes
    ----------
    kind : Kind
        What goes wrong.
    call : str
        Pattern of the calls, in the syntax of `fnmatch`.
    nth : int or None
        Only the n-th of these calls, counted from 1; None: any.
    probability : float
        The probability that one of these calls gets the fault.
    seconds : float
        Longest duration, for the kinds that have one: it ends early if the fault is replaced.
    """

    kind: Kind
    call: str
    nth: int | None = None
    probability: float = 1.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults and the seed of their probabilities.

    The same seed selects the same matching calls by their number; the order of concurrent calls can
    differ from run to run.
    """

    faults: tuple[Fault, ...] = ()
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read faults from decoded JSON."""
        faults = (Fault(**{**fault, "kind": Kind(fault["kind"])}) for fault in document["faults"])
        return cls(tuple(faults), document["seed"])


class Injector:
    """Decides which calls get a fault. One injector serves the whole cloud.

    Examples
    --------
    >>> injector = Injector(Faults((Fault(Kind.THROTTLED, "* s3:PutObject *", nth=2),)))
    >>> [injector.fault_for("me s3:PutObject b/k", set(Kind)) is not None for _ in range(3)]
    [False, True, False]
    """

    def __init__(self, faults: Faults) -> None:
        self._changed = threading.Condition()
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Replace the faults, restart the counts of calls, and end all pauses."""
        with self._changed:
            self._faults = faults.faults
            self._random = random.Random(faults.seed)  # noqa: S311  # no secret
            self._seen: Counter[Fault] = Counter()
            self._injected: list[str] = []
            self._changed.notify_all()

    def fault_for(self, call: str, possible: Set[Kind]) -> Fault | None:
        """Return the fault to inject into a call, None for none.

        Parameters
        ----------
        call
            The line that describes it.
        possible
            The kinds of faults that such a call can have.
        """
        with self._changed:
            for fault in self._matching(call, possible):
                self._seen[fault] += 1
                by_number = fault.nth is None or fault.nth == self._seen[fault]
                if by_number and self._random.random() < fault.probability:
                    self._injected.append(f"{fault.kind}: {call}")
                    return fault
        return None

    def pause(self, fault: Fault) -> None:
        """Wait for the fault's duration, or until there is no such fault any more."""
        with self._changed:
            self._changed.wait_for(lambda: fault not in self._faults, fault.seconds)

    def injected(self) -> list[str]:
        """Return the faults injected so far, each with its call."""
        with self._changed:
            return list(self._injected)

    def _matching(self, call: str, possible: Set[Kind]) -> Iterable[Fault]:
        return (
            fault
            for fault in self._faults
            if fault.kind in possible and fnmatchcase(call, fault.call)
        )
