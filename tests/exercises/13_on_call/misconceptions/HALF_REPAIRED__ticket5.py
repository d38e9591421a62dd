"""The node in the ticket is enough.

finds: 13.ticket5.gone HALF_REPAIRED
"""

# answer: 13.ticket5
ticket5 = {
    "cause": "no-masquerade",
    "script": """
node1$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node1$ systemctl restart flanneld
""",
}
