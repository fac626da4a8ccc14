"""The ports' real sides: DynamoDB, S3 and Step Functions."""
