"""Calls to itself hang, so it is the hairpin.

finds: 08.hangs.cause HAIRPIN
"""

# answer: 08.hangs
hangs = {
    "cause": "hairpin-off",
    "script": """
node2$ sysctl -w net.bridge.bridge-nf-call-iptables=1
""",
}
