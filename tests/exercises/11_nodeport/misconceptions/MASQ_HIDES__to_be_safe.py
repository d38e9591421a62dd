"""A masquerade more does no harm.

finds: 11.door.clean MASQ_HIDES
"""

# answer: 11.door
door = {
    "cause": "policy-local",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'
node1$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
