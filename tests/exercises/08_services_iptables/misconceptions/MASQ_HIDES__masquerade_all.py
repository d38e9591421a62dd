"""A rule that masquerades everything makes each answer come back.

finds: 08.hangs.repaired MASQ_HIDES
"""

# answer: 08.hangs
hangs = {
    "cause": "bridge-nf-off",
    "script": """
node2$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
