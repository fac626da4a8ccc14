"""Python imports this before a handler that is run from source.

botocore imports awscrt and pyOpenSSL where they are. Here SAM CLI has brought them; Lambda has
neither, and they would be a fifth of a cold start.
"""

import sys

for name in ("awscrt", "OpenSSL"):
    sys.modules[name] = None  # type: ignore[assignment]  # so that importing it fails
