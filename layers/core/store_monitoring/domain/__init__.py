"""Uptime and downtime, computed: arrays in, arrays out. No I/O, no clock, no environment.

All instants are int64 microseconds UTC, all intervals half-open. "Rule n" is a rule of
``docs/uptime-rules.md``.
"""
