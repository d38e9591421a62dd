"""When remote servers fail, the overlay is blocked.

finds: 13.names.cause OVERLAY_FW
"""

# answer: 13.names
names = {
    "cause": "overlay-port-blocked",
    "script": """
node3$ systemctl start kube-proxy
""",
}
