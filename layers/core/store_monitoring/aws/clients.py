"""Configurations of AWS clients, for functions whose callers wait for a response."""

from botocore.config import Config

# A call fails within about twelve seconds, so that our error response is returned before the 29
# seconds after which API Gateway times out.
FAIL_FAST = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
)

# By default, boto3 presigns for the global endpoint, which redirects requests for new buckets to
# other regions, and in us-east-1 it uses SigV2.
PRESIGNING = FAIL_FAST.merge(
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
)
