"""How nations decide: to mine, to defend, to hold or dump, to legislate and to follow others."""
