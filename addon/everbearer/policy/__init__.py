"""Who gets a token: hosts, paths, rules and the one decision. Pure."""
