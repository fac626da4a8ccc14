"""Python imports this module before a handler that runs from source.

botocore imports awscrt and pyOpenSSL if they are installed. SAM CLI installs them here. Lambda has
neither, and importing them takes a fifth of a cold start.
"""

import sys

for name in ("awscrt", "OpenSSL"):
    sys.modules[name] = None  # type: ignore[assignment]  # so that importing it fails
