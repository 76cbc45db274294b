"""The page on this machine that shows what the tokens do, and its server."""
