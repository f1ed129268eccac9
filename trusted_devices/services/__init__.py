"""Use cases. Each owns its transaction and its signals; none sees a request or a response."""
