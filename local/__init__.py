"""The local cloud (`local.emulator`) and the command line (`local.cli`)."""
