"""How a profile always has a living access token: obtained, kept, renewed, healed."""
