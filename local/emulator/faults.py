"""Faults: what goes wrong in the local cloud, with which calls, and when.

Every call has a line of its own, which tells who makes it, what it is and what it is about; so does
every state that an execution enters. A fault names lines by a pattern:

- ``local-PlanFunction-* s3:PutObject local-databucket/reports/*/plan.json``
- ``StepFunctions lambda:Invoke local-MergeFunction``
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
    """What goes wrong."""

    THROTTLED = "throttled"
    """The service refuses the call: too many at once."""
    BROKEN = "broken"
    """The service answers with an internal error of its own, and has done nothing."""
    SILENT = "silent"
    """Nothing is done and, for `Fault.seconds`, nothing answered; then the connection ends."""
    RESET = "reset"
    """Nothing is done, and the connection ends."""
    LOST = "lost"
    """The call is done, but its answer is lost with the connection."""
    SLOW = "slow"
    """The call is done, `Fault.seconds` late."""
    TWICE = "twice"
    """The call is done twice."""
    KILLED = "killed"
    """The execution environment of the function that makes the call is killed before it is done."""
    ABORTED = "aborted"
    """The execution that enters the state is stopped."""
    TIMED_OUT = "timed out"
    """The execution that enters the state has taken too long."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    Attributes
    ----------
    kind : Kind
    call : str
        Pattern of the calls, as `fnmatch` has it.
    nth : int or None
        Only the n-th of these calls, counted from 1; None: any.
    probability : float
        That one of these calls is struck.
    seconds : float
        How long it takes, if it takes time.
    """

    kind: Kind
    call: str
    nth: int | None = None
    probability: float = 1.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults and the seed of their chances.

    The same seed strikes the same of the matching calls, by their number; which of two calls at the
    same time comes first is for the machine to say.
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
    """Tells of each call whether a fault strikes it. One serves the whole cloud.

    Examples
    --------
    >>> injector = Injector(Faults((Fault(Kind.THROTTLED, "* s3:PutObject *", nth=2),)))
    >>> [injector.fault_for("me s3:PutObject b/k", set(Kind)) is not None for _ in range(3)]
    [False, True, False]
    """

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Let these faults take the place of those before, and count from the start."""
        with self._lock:
            self._faults = faults.faults
            self._random = random.Random(faults.seed)  # noqa: S311  # no secret
            self._seen: Counter[Fault] = Counter()
            self._injected: list[str] = []

    def fault_for(self, call: str, possible: Set[Kind]) -> Fault | None:
        """Return the fault that strikes a call, None if it is spared.

        Parameters
        ----------
        call
            Its line.
        possible
            What can go wrong with such a call.
        """
        with self._lock:
            for fault in self._matching(call, possible):
                self._seen[fault] += 1
                by_number = fault.nth is None or fault.nth == self._seen[fault]
                if by_number and self._random.random() < fault.probability:
                    self._injected.append(f"{fault.kind}: {call}")
                    return fault
        return None

    def injected(self) -> list[str]:
        """Return which calls were struck so far, and by what."""
        with self._lock:
            return list(self._injected)

    def _matching(self, call: str, possible: Set[Kind]) -> Iterable[Fault]:
        return (
            fault
            for fault in self._faults
            if fault.kind in possible and fnmatchcase(call, fault.call)
        )
