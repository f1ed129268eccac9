"""The user pool of these tests: a site of its own in a process of its own, with the endpoint as its only door."""
