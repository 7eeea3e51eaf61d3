"""Limits of what scripts may say, known to both sides."""

from __future__ import annotations

MAX_REQUEST_BYTES = 2 * 1024 * 1024
"""The longest request to call another runbook."""
