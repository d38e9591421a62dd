"""What the nodes do not pass on, a firewall blocks between them.

finds: 07.perfect.cause OVERLAY_FW
"""

# answer: 07.perfect
perfect = {
    "cause": "overlay-port-blocked",
    "script": """
node1$ sed -i 's/ --iptables-forward-rules=false//' /etc/default/flanneld
node1$ systemctl restart flanneld
node3$ sed -i 's/ --iptables-forward-rules=false//' /etc/default/flanneld
node3$ systemctl restart flanneld
""",
}
