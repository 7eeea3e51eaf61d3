"""The runbook engine: one Markdown file is manual, program, policy and record of an operation."""

__version__ = "0.1.0"
