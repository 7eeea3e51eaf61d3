"""The JSON of each resource, defined once: its members, what they mean, and how they are made.

The `TypedDict` of a resource is its definition: the type checker holds the function that makes
it against it, and `api/openapi.py` makes the schema of the API's document of it. Its name less
`Json` is the schema's, `Doc` the description of a member.
"""
