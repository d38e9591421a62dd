"""Flannel: the daemon on every node that gives each node's pods a subnet and an overlay."""
