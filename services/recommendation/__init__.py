"""Recommendation owns what the firm proposes: proposals, their review, and what became of them."""
