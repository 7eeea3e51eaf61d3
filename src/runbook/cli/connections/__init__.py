"""`runbook connections`."""
