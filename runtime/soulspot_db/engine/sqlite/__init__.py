"""SQLite: the loop reads one row at a time itself, lanes do the rest, one of them every write."""
