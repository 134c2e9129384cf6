"""The browser page: the world's hashrate on a map, its chain, and the levers of policy."""
