"""Events and notifications for others."""
