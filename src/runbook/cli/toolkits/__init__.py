"""`runbook toolkit`: one file for each group of commands."""
