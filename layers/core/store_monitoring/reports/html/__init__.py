"""The report as one HTML file that asks for nothing: figures, charts and a table of all stores."""
