"""Blocks, difficulty and the coin ledger."""
