"""`runbook inventory`."""
