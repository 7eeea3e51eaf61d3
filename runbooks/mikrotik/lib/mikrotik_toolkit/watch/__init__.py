"""Looks at routers, and changes nothing on them."""
