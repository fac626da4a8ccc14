"""What the system does: one module a step. They know the domain and ports, no cloud service."""
