"""Images that hold runbooks: their build contexts."""
