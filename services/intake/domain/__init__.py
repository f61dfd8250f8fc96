"""The rules of intake: what can be submitted, and what follows from it."""
