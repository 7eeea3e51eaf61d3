"""Changes of routers that are not a push or a restore."""
