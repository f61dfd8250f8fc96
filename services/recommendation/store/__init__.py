"""The SQL of recommendation: one typed function per query."""
