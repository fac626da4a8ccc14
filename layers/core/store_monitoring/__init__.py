"""Store monitoring: uptime and downtime of stores within their own business hours."""
