"""Trusted devices for Django's multi-factor sign-in. Importing the package has no effect."""

__version__ = "0.1.0"
