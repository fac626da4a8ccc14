"""The local cloud (`local.emulator`) and the command line (`local.cli`)."""


class LocalError(Exception):
    """What a user can put right. The command line prints the message, which says how, in a line."""
