"""What lies on a counter: boxes of products, their names by an index, the list with counts."""
