"""One end of a tunnel is mended, so the tunnel is.

finds: 04.blocked.gone HALF_REPAIRED
"""

# answer: 04.blocked
blocked = {
    "cause": "overlay-port-blocked",
    "script": """
node1$ iptables -D INPUT -p udp --dport 8285 -j DROP
""",
}
