"""The index of products as a folder: build, add, remove, search."""
