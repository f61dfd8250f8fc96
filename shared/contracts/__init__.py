"""What the services say to each other: frozen pydantic models and nothing else."""
