"""Nearest neighbours by FAISS: exact, and by lists, chosen and measured against the exact search."""
