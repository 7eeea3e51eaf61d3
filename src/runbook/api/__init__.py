"""The HTTP API: a thin shell over the engine. See docs/api.md and /docs/openapi.yaml."""
