"""Keeps pyarrow from importing pandas in the handlers: import this before pyarrow.

At its first conversion, pyarrow imports pandas if it is installed, to recognise pandas objects. The
handlers have none, and that import takes as long as all their other imports together.
"""

import sys


class _NoPandas:
    """An import finder that reports pandas as missing, before other finders find it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is left out on purpose", name=name)


sys.meta_path.insert(0, _NoPandas)
