"""What a report costs at each size: measured here, estimated for AWS, compared with local runs."""
