"""The rubric and the scoring: pure, with no I/O, no clock and no framework."""
