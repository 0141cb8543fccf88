"""Embeddings in, numbers out: nearest neighbours, linear probe, retrieval, maps."""
