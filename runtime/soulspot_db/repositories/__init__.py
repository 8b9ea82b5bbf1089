"""Repositories: what can be asked of one entity. `repository` is the whole; each other module has one part of it."""
