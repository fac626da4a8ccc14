"""What people read: text as it is, in which nothing is taken for markup or an emoji."""

from rich.console import Console

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def printable(value: str) -> str:
    r"""Return a value that comes from data, such as an id, so that a terminal only shows it.

    >>> printable("[red]\x1b[2J")
    '[red]\\x1b[2J'
    """
    return "".join(each if each.isprintable() else _escaped(each) for each in value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
