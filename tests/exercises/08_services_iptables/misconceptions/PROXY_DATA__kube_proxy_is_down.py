"""kube-proxy carries the packets; when they fail it is down.

finds: 08.refused.cause PROXY_DATA
"""

# answer: 08.refused
refused = {
    "cause": "kube-proxy-stopped",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}'
""",
}
