"""Prints text to the terminal literally, without markup or emoji."""

from rich.console import Console

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def printable(value: str) -> str:
    r"""Escape a value from data, such as an id, so that it cannot control the terminal.

    >>> printable("[red]\x1b[2J")
    '[red]\\x1b[2J'
    """
    return "".join(each if each.isprintable() else _escaped(each) for each in value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
