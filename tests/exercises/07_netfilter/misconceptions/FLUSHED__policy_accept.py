"""A policy of DROP is the fault: everything may pass.

finds: 07.perfect.clean FLUSHED
"""

# answer: 07.perfect
perfect = {
    "cause": "forward-drop",
    "script": """
node1$ iptables -P FORWARD ACCEPT
node3$ iptables -P FORWARD ACCEPT
""",
}
