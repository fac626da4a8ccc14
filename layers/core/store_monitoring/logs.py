"""One logger for all functions: JSON lines, with what each call is about."""

from aws_lambda_powertools import Logger

logger = Logger()
