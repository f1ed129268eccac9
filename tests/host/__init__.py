"""A site's own app, for what depends on its models."""
