"""tcpdump shows it, and it does not arrive: a firewall.

finds: 05.deaf.cause TAP
"""

# answer: 05.deaf
deaf = {
    "cause": "overlay-port-blocked",
    "script": """
node3$ systemctl restart flanneld
""",
}
