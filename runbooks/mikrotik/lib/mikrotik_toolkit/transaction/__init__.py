"""A change of several routers that all of them get, or none: see `settling`."""
