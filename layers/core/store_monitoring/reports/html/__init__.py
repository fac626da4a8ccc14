"""The report as one self-contained HTML file: figures, charts and a table of all stores."""
