"""Why no engine can run here."""


class NotAvailableError(Exception):
    """The message says what is missing, and how to get it."""
