"""Self-contained sub-economies on the same clock."""
