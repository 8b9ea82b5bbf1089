"""Related rows: loaded, included, and kept in an order."""
