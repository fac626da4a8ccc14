"""Replaces parts of libraries that have no extension point for it."""

from collections.abc import Callable
from typing import Any


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace an attribute of a class or module by ``make(original)``."""
    setattr(owner, name, make(getattr(owner, name)))
