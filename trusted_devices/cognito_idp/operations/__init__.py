"""The operations, by what they are about: one small function each, registered by name."""
