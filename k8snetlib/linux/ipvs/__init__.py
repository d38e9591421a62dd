"""IPVS: the kernel's own load balancer, which kube-proxy can use in place of iptables' rules."""
