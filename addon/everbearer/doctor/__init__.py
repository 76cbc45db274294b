"""What can be wrong around a proxy: checks that are values, printed elsewhere."""
