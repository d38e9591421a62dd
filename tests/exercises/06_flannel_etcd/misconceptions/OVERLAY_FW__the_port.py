"""If the nodes ping each other, a firewall blocks the overlay.

finds: 06.weekend.cause OVERLAY_FW
"""

# answer: 06.weekend
weekend = {
    "cause": "overlay-port-blocked",
    "script": r"""
node1$ systemctl stop flanneld
node1$ etcdctl del /coreos.com/network/subnets/10.1.52.0-24
node1$ sed -i 's/^FLANNEL_SUBNET=.*/FLANNEL_SUBNET=10.1.15.1\/24/' /run/flannel/subnet.env
node1$ systemctl start flanneld
""",
}
