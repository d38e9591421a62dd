"""Two nodes are enough: the third will follow.

finds: 04.public_ip.gone HALF_REPAIRED
"""

# answer: 04.public_ip
public_ip = {
    "cause": "one-public-ip",
    "script": """
node1$ systemctl stop flanneld
node2$ systemctl stop flanneld
node3$ systemctl stop flanneld
node1$ etcdctl del --prefix /coreos.com/network/subnets
node1$ sed -i 's/ --public-ip=10.0.2.15//' /etc/default/flanneld
node2$ sed -i 's/ --public-ip=10.0.2.15//' /etc/default/flanneld
node2$ sed -i 's/10.1.15.1/10.1.20.1/' /run/flannel/subnet.env
node3$ sed -i 's/10.1.15.1/10.1.30.1/' /run/flannel/subnet.env
node1$ systemctl start flanneld
node2$ systemctl start flanneld
node3$ systemctl start flanneld
""",
}
