"""Constants that the parts of the local cloud share."""

HOST = "127.0.0.1"
STACK_NAME = "local"
REGION = "us-east-1"
ACCOUNT = "123456789012"
# Clients require credentials, but nothing here checks these. Functions sign with a secret key that
# is new in each cloud (`local.emulator.server`): pages of other origins need a valid signature.
ACCESS_KEY = SECRET_KEY = "local"  # noqa: S105  # not a secret
# The path of the services at which faults are set and read.
FAULTS_PATH = "/local-cloud/faults"
