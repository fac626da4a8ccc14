"""What the parts of the local cloud have to agree on."""

HOST = "127.0.0.1"
STACK_NAME = "local"
REGION = "us-east-1"
ACCOUNT = "123456789012"
# Nothing checks these, but clients do not call without any. What functions sign with is another
# secret key in each cloud (`local.emulator.server`): pages of other origins need a signature.
ACCESS_KEY = SECRET_KEY = "local"  # noqa: S105  # nobody's
# Where the services of the cloud are told what goes wrong.
FAULTS_PATH = "/local-cloud/faults"
# The variable that hands the API's key to the server: no other user sees a process's variables.
API_KEY_VARIABLE = "LOCAL_CLOUD_API_KEY"
