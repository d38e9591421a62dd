"""The node in the ticket's first line is enough.

finds: 07.perfect.gone HALF_REPAIRED
"""

# answer: 07.perfect
perfect = {
    "cause": "forward-drop",
    "script": """
node1$ sed -i 's/ --iptables-forward-rules=false//' /etc/default/flanneld
node1$ systemctl restart flanneld
""",
}
