"""Scores the answers on two axes, need for continuity and need for execution, and says why."""
