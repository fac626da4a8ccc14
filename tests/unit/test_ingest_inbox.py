"""An uploaded object as a stream."""

import io

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from store_monitoring.adapters import inbox as inbox_module
from store_monitoring.adapters.inbox import Inbox
from store_monitoring.errors import TransientError
from tests.unit.test_ingest_lines import LINE
