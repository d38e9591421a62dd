"""The peer that complains is told the new address by hand.

finds: 05.deaf.gone HALF_REPAIRED
"""

# answer: 05.deaf
deaf = {
    "cause": "vtep-mac",
    "script": """
node1$ ip neigh replace 10.1.30.0 lladdr 0e:f1:5c:3a:77:99 dev flannel.1 nud permanent
node1$ bridge fdb append 0e:f1:5c:3a:77:99 dev flannel.1 dst 192.168.66.13
""",
}
