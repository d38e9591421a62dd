"""etcd: the key-value store in which flannel keeps its configuration and its leases."""
