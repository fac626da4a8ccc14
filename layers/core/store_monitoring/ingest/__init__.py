"""From an uploaded CSV to tables of good rows and a list of rejected ones, as a stream."""
