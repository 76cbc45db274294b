"""A person's way through the browser: the listener that the browser comes back to."""
