"""What does not arrive has no route.

finds: 05.deaf.cause VTEP_MAC
"""

# answer: 05.deaf
deaf = {
    "cause": "no-route",
    "script": """
node3$ systemctl restart flanneld
""",
}
