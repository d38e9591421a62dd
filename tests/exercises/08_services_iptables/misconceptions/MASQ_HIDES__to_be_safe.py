"""A masquerade more does no harm.

finds: 08.refused.clean MASQ_HIDES
"""

# answer: 08.refused
refused = {
    "cause": "target-port",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}'
node1$ iptables -t nat -I POSTROUTING -j MASQUERADE
""",
}
