"""From predicates and values to statements, and from rows back to models: pure, a database is never asked here."""
