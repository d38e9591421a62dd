"""Right routes mean that packets flow; so a route is wrong.

finds: 07.perfect.cause FWD
"""

# answer: 07.perfect
perfect = {
    "cause": "no-route",
    "script": """
node1$ sed -i 's/ --iptables-forward-rules=false//' /etc/default/flanneld
node1$ systemctl restart flanneld
node3$ sed -i 's/ --iptables-forward-rules=false//' /etc/default/flanneld
node3$ systemctl restart flanneld
""",
}
