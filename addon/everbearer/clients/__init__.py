"""What client tools need: variables, certificates in their formats, recipes."""
