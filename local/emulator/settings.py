"""What the parts of the embedded cloud have to agree on."""

HOST = "127.0.0.1"
STACK_NAME = "local"
REGION = "us-east-1"
ACCOUNT = "123456789012"
# Nothing checks these, but clients do not call without any. What functions sign with is another
# secret key in each cloud (`local.emulator.server`): pages of other origins need a signature.
ACCESS_KEY = SECRET_KEY = "embedded"  # noqa: S105  # nobody's
# Where the services of the cloud are told what goes wrong.
FAULTS_PATH = "/embedded-cloud/faults"
# The variable that hands the API's key to the server: no other user sees a process's variables.
API_KEY_VARIABLE = "EMBEDDED_CLOUD_API_KEY"
