"""How patient the clients are whose callers wait for an answer."""

from botocore.config import Config

# A call ends within about twelve seconds: so it is we who tell of trouble, not API Gateway, which
# waits for 29.
PROMPT = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
)
