"""Who owns the devices."""
