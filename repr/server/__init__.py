"""A lookup index over HTTP, and its web page: thin over `repr.lookup`."""
