"""How the clients are set up whose callers wait for an answer."""

from botocore.config import Config

# A call ends within about twelve seconds: so it is we who tell of trouble, not API Gateway, which
# waits for 29.
FAIL_FAST = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
)

# Left to itself, boto3 presigns for the global endpoint, which redirects to other regions for as
# long as a bucket is new, and in us-east-1 with SigV2.
PRESIGNING = FAIL_FAST.merge(
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
)
