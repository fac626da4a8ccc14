"""What a report costs at each size: measured here, reckoned for AWS, held against embedded runs."""
