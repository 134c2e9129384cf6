"""What prices things: coins, machines, power, heat, compute, capital."""
