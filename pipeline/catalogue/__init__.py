"""What the business believes, read from TOML files and checked: inventory, missions, rules."""
