"""Cryptography in bytes, integers and text: no framework, no settings, no clock."""
