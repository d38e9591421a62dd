"""The node in the ticket is enough.

finds: 13.internet.gone HALF_REPAIRED
"""

# answer: 13.internet
internet = {
    "cause": "no-masquerade",
    "script": """
node1$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node1$ systemctl restart flanneld
""",
}
