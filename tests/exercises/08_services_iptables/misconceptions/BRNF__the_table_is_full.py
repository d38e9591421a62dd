"""Some calls hang, so the table must be full.

finds: 08.hangs.cause BRNF
"""

# answer: 08.hangs
hangs = {
    "cause": "conntrack-full",
    "script": """
node2$ sysctl -w net.bridge.bridge-nf-call-iptables=1
""",
}
