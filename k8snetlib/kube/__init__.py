"""Kubernetes: its objects as far as the network needs them."""
