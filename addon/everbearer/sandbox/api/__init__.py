"""Box's API calls, a module for each kind of thing."""
