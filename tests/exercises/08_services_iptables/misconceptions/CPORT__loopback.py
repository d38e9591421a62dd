"""The pods refuse, so they listen on loopback.

finds: 08.refused.cause CPORT
"""

# answer: 08.refused
refused = {
    "cause": "loopback-bound",
    "script": """
node1$ kubectl patch svc backend-svc -p '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}'
""",
}
