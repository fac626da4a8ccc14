"""Events for other systems and notifications for people."""
