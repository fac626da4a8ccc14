"""Replaces parts of libraries that have no extension point for it."""

import functools
from collections.abc import Callable
from typing import Any

_Function = Callable[..., Any]


def patch(owner: Any, name: str) -> Callable[[_Function], _Function]:
    """Replace a method of a class, or a function of a module, by the decorated function.

    It is called with the original, and then with the arguments of the call. For example, this
    adds a greeting to all that `Letter.text` returns::

        @patch(Letter, "text")
        def text(original: Callable[..., str], letter: Letter, language: str) -> str:
            return "Hello! " + original(letter, language)
    """

    def apply(replacement: _Function) -> _Function:
        original = getattr(owner, name)

        @functools.wraps(original)
        def call(*arguments: Any, **named: Any) -> Any:
            return replacement(original, *arguments, **named)

        setattr(owner, name, call)
        return replacement

    return apply


def replace(owner: Any, name: str, value: Any) -> None:
    """Replace an attribute of a class or module, which must exist."""
    getattr(owner, name)
    setattr(owner, name, value)
