"""Commands for the lab."""
