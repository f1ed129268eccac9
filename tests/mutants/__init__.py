"""Guards broken on purpose, to see which the tests notice."""
