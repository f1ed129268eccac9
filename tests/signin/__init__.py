"""Who signs people in."""
