"""One free address is enough.

finds: 12.late.gone HALF_REPAIRED
"""

# answer: 12.late
late = {
    "cause": "leaked-addresses",
    "script": """
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.3
node3$ systemctl restart kubelet
""",
}
