"""Nouns: what an item, a source, an output is. Standard library only."""
