"""Where calls go: an entity prepared for one database, what is asked, transactions, and what hangs on a COMMIT."""
