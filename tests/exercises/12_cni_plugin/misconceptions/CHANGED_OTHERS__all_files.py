"""The whole list is old, so all of it may go: kubelet will write it anew.

finds: 12.late.clean CHANGED_OTHERS
"""

# answer: 12.late
late = {
    "cause": "leaked-addresses",
    "script": """
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.2
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.3
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.4
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.5
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.6
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.7
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.8
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.9
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.10
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.11
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.12
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.13
node3$ rm /var/lib/cni/networks/cbr0/10.1.30.14
node3$ systemctl restart kubelet
""",
}
