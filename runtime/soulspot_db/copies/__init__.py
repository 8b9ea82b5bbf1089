"""Copies of a database as files: what they are called, and how a file comes to be whole or not there."""
