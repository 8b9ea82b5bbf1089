"""What its operator does to a database: copies of it and back, order in the file, SQL that only reads."""
