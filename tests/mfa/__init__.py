"""Second-factor providers."""
