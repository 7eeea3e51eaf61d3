"""The HTTP API, a thin layer over the engine. See docs/api.md and /docs/openapi.yaml."""
