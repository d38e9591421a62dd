"""The Container Network Interface: its protocol, and five plugins on the model's namespaces."""
