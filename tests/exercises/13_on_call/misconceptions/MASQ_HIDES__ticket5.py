"""A masquerade more does no harm.

finds: 13.ticket5.clean MASQ_HIDES
"""

# answer: 13.ticket5
ticket5 = {
    "cause": "no-masquerade",
    "script": """
node1$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node1$ systemctl restart flanneld
node2$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node2$ systemctl restart flanneld
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
