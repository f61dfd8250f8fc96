"""The HTTP edge of intake: one module per audience."""
