"""Toolkits: installable folders of runbooks with a manifest."""
