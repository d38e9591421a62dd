"""flanneld has merely stopped: the ranges agree, since all is Ready.

finds: 06.fresh.cause CIDR
"""

# answer: 06.fresh
fresh = {
    "cause": "flanneld-stopped",
    "script": """
node1$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node1$ systemctl restart flanneld
node2$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node2$ systemctl restart flanneld
node3$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node3$ systemctl restart flanneld
""",
}
