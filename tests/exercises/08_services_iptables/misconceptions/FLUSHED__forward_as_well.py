"""While I am there I empty another chain: the daemons will fill it again.

finds: 08.hangs.repaired FLUSHED
"""

# answer: 08.hangs
hangs = {
    "cause": "bridge-nf-off",
    "script": """
node2$ sysctl -w net.bridge.bridge-nf-call-iptables=1
node2$ iptables -F FORWARD
""",
}
