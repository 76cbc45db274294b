"""A long run of everything at once, with a server and processes that misbehave."""
