"""Reports: their requests, life cycle, plan, shards and formats."""
