"""What migrations do otherwise on PostgreSQL: tables are altered, not made anew."""
