"""kube-proxy: Services as rules of the kernel."""
