"""What is wrong with a database, seen from outside. `checks.py` has the table of all that is looked at."""
