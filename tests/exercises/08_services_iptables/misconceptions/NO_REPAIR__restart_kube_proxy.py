"""A restart of kube-proxy mends what is wrong with Services.

finds: 08.hangs.repaired NO_REPAIR
"""

# answer: 08.hangs
hangs = {
    "cause": "bridge-nf-off",
    "script": """
node2$ systemctl restart kube-proxy
""",
}
