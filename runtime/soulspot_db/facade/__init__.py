"""Entities by name, rows as dicts: the facade, over the same repositories."""
