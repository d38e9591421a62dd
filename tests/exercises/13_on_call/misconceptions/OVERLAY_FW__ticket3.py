"""When remote servers fail, the overlay is blocked.

finds: 13.ticket3.cause OVERLAY_FW
"""

# answer: 13.ticket3
ticket3 = {
    "cause": "overlay-port-blocked",
    "script": """
node3$ systemctl start kube-proxy
""",
}
