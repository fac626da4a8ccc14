"""The same report by tools that a user might pick instead: `make bench-peers`."""
