"""The formats of a report. Each has a writer, which takes the rows batch by batch."""
