"""A rule in each pod leads to the right port.

finds: 08.refused.lasting RUNTIME_ONLY
"""

# answer: 08.refused
refused = {
    "cause": "target-port",
    "script": """
backend$ iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080
backend-b$ iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080
backend-c$ iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080
""",
}
