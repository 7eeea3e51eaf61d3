"""A small endpoint that answers NetBox's REST API for addresses, VLANs, devices and machines.

It keeps its objects in memory. `tests/netbox` sends the same requests to it and to a real NetBox.
"""
