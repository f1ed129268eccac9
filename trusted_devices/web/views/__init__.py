"""The HTML door: signing in and out, proving a second factor again, and a user's own devices."""
