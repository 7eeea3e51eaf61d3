"""What a device may be named."""

DEVICE_NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
DEVICE_RULE = (
    "Use up to 63 lowercase letters, digits, dots, hyphens and underscores, such as edge-1"
)
