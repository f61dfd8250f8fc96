"""The SQL of intake: one typed function per query."""
