"""A package, so that nothing else of this name on the path is taken for it."""
