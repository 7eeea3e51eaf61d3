"""What the runbooks of this toolkit share."""
