"""Encrypted fields: their values, a new key for all of them, and what is kept out of logs."""
