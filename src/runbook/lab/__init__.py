"""A lab on loopback for people without hardware. Only `runbook lab` and its processes import it."""
