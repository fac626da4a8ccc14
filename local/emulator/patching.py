"""Replacing parts of a library that offers no other way in."""

from collections.abc import Callable
from typing import Any


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace an attribute of a class or module by what ``make`` makes of the original."""
    setattr(owner, name, make(getattr(owner, name)))
