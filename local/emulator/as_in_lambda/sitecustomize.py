"""Python imports this module before a handler that runs from source.

Some packages import others only if they are installed: botocore imports awscrt and pyOpenSSL, which
SAM CLI installs here; pyarrow imports pandas, which the command line uses. Neither Lambda nor a
layer has them. Importing the first two takes a fifth of a cold start, importing pandas even longer.
"""

import sys


class _MissingPackages:
    """An import finder that reports packages as missing, before other finders find them.

    None in `sys.modules` does not suffice: compiled modules, such as pyarrow's, import that None.
    """

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name in ("awscrt", "OpenSSL", "pandas"):
            raise ModuleNotFoundError("neither Lambda nor a layer has this package", name=name)


sys.meta_path.insert(0, _MissingPackages)
