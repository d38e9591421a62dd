"""All that leaves by eth0 may be masqueraded.

finds: 13.ticket5.clean MASQ_HIDES
"""

# answer: 13.ticket5
ticket5 = {
    "cause": "no-masquerade",
    "script": """
node1$ iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
node2$ iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
""",
}
