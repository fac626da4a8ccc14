"""The console, used as a person would, with a local cloud of the real template."""
