"""The HTTP edge of recommendation."""
