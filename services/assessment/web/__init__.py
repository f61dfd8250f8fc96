"""The HTTP edge of assessment."""
