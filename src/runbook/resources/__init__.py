"""The JSON form of each resource, defined once: members, descriptions, and conversion.

A `TypedDict` defines a resource. The type checker checks the conversion function against it, and
`api/openapi.py` generates the schema from it: its name without `Json` is the schema's name, and
`Doc` describes a member.
"""
