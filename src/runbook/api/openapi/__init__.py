"""The OpenAPI 3.1 document, generated from the routes and their policies."""
