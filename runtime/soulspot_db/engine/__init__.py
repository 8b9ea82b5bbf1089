"""The only code that knows a driver: statements in, rows out, in one round trip."""
