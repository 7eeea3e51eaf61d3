"""`runbook package`."""
