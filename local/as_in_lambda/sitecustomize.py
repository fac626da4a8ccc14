"""Python imports this before a handler that is run from source.

What is installed for the embedded cloud's own sake, and not in Lambda, botocore would find and
import: a fifth of what a cold start takes.
"""

import sys

for name in ("awscrt", "OpenSSL"):
    sys.modules[name] = None  # type: ignore[assignment]  # so that importing it fails
