"""Steps on a case, which pages and the API share."""
