"""The embedded cloud: the whole system on one machine, and its command line."""
