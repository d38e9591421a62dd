"""Only pods call Services: a node may be kept out.

finds: 08.refused.gone HALF_REPAIRED
"""

# answer: 08.refused
refused = {
    "cause": "target-port",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}'
node1$ iptables -I OUTPUT -p tcp --dport 8080 -j DROP
""",
}
