"""A masquerade more does no harm.

finds: 12.late.clean MASQ_HIDES
"""

# answer: 12.late
late = {
    "cause": "leaked-addresses",
    "script": """
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.3 /var/lib/cni/networks/cbr0/10.1.30.4 /var/lib/cni/networks/cbr0/10.1.30.5 /var/lib/cni/networks/cbr0/10.1.30.6 /var/lib/cni/networks/cbr0/10.1.30.7 /var/lib/cni/networks/cbr0/10.1.30.8 /var/lib/cni/networks/cbr0/10.1.30.9 /var/lib/cni/networks/cbr0/10.1.30.10 /var/lib/cni/networks/cbr0/10.1.30.11 /var/lib/cni/networks/cbr0/10.1.30.12 /var/lib/cni/networks/cbr0/10.1.30.13 /var/lib/cni/networks/cbr0/10.1.30.14
node3$ systemctl restart kubelet
node1$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
