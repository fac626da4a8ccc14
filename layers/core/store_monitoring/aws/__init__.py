"""Adapters: the ports on AWS."""
