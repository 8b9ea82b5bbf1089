"""Whether a database can do its work now: checks that are quick enough for a probe every second."""
