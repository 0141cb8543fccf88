"""Nearest neighbours by FAISS: exact, and by inverted lists measured against the exact search."""
