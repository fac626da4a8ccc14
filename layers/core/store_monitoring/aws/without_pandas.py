"""pyarrow without pandas, for the handlers: imported before anything uses pyarrow.

At its first conversion pyarrow imports pandas, if there is one, to know its objects by sight. The
handlers have none to convert, and that import takes as long as all their others together.
"""

import sys


class _NoPandas:
    """A finder that says there is no pandas, asked before those that would find it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is left out on purpose", name=name)


sys.meta_path.insert(0, _NoPandas)
