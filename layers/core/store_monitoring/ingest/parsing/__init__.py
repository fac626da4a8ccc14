"""Parsing: a CSV file becomes Arrow tables and rejected rows."""
