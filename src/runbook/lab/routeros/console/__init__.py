"""The console's language: parsed with the places of its errors, then executed."""
