"""Browsers, places and times in people's words."""
