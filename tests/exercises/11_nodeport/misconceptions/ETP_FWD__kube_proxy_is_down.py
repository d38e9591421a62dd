"""Every node forwards for a Service; one that does not has no kube-proxy.

finds: 11.door.cause ETP_FWD
"""

# answer: 11.door
door = {
    "cause": "kube-proxy-stopped",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'
""",
}
