"""The configuration: TOML → frozen values, with every problem told at once."""
