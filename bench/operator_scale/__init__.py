"""What the operator costs, by counting."""
