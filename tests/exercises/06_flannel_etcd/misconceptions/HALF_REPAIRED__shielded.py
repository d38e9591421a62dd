"""node2 may stay shielded from a pod that was wrong before.

finds: 06.weekend.gone HALF_REPAIRED
"""

# answer: 06.weekend
weekend = {
    "cause": "lease-lost",
    "script": r"""
node1$ systemctl stop flanneld
node1$ etcdctl del /coreos.com/network/subnets/10.1.52.0-24
node1$ sed -i 's/^FLANNEL_SUBNET=.*/FLANNEL_SUBNET=10.1.15.1\/24/' /run/flannel/subnet.env
node1$ systemctl start flanneld
node2$ iptables -I FORWARD -d 10.1.15.3 -j DROP
""",
}
