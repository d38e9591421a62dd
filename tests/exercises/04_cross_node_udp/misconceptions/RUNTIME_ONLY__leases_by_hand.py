"""What etcd holds is what counts: the daemon's options need no repair.

finds: 04.public_ip.lasting RUNTIME_ONLY
"""

# answer: 04.public_ip
public_ip = {
    "cause": "one-public-ip",
    "script": """
node1$ systemctl stop flanneld
node2$ systemctl stop flanneld
node3$ systemctl stop flanneld
node1$ etcdctl del --prefix /coreos.com/network/subnets
node2$ sed -i 's/10.1.15.1/10.1.20.1/' /run/flannel/subnet.env
node3$ sed -i 's/10.1.15.1/10.1.30.1/' /run/flannel/subnet.env
node1$ systemctl start flanneld
node1$ etcdctl put --lease=694d000000000004 /coreos.com/network/subnets/10.1.15.0-24 '{"PublicIP":"192.168.66.11"}'
node2$ systemctl start flanneld
node1$ etcdctl put --lease=694d000000000005 /coreos.com/network/subnets/10.1.20.0-24 '{"PublicIP":"192.168.66.12"}'
node3$ systemctl start flanneld
node1$ etcdctl put --lease=694d000000000006 /coreos.com/network/subnets/10.1.30.0-24 '{"PublicIP":"192.168.66.13"}'
""",
}
