"""How a block's reward becomes payouts."""
