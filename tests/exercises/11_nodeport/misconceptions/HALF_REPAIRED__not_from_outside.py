"""Customers next door are enough.

finds: 11.door.gone HALF_REPAIRED
"""

# answer: 11.door
door = {
    "cause": "policy-local",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'
node1$ iptables -I FORWARD -s 203.0.113.0/24 -p tcp --dport 8080 -j DROP
""",
}
