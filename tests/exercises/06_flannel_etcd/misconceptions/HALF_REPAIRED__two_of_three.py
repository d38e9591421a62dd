"""The third node will read what the others read.

finds: 06.fresh.gone HALF_REPAIRED
"""

# answer: 06.fresh
fresh = {
    "cause": "cidr-mismatch",
    "script": """
node1$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node1$ systemctl restart flanneld
node2$ sed -i 's|10.244.0.0/16|10.1.0.0/16|' /etc/kube-flannel/net-conf.json
node2$ systemctl restart flanneld
""",
}
