"""What people read: text as it is, in which nothing is taken for markup or an emoji."""

from rich.console import Console
from rich.text import Text

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def as_text(value: str) -> Text:
    r"""Return a value that comes from data, such as an id, so that a terminal only shows it.

    >>> as_text("[red]\x1b[2J").plain
    '[red]\\x1b[2J'
    """
    return Text("".join(each if each.isprintable() else _escaped(each) for each in value))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
