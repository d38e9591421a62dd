"""Now one, now the other.

finds: 12.twins.far ROUTES_EVERYWHERE
"""

# answer: 12.twins
twins = {
    "from_node1": "web2",
    "from_node2": "backend",
    "from_node3": "sometimes web2, sometimes backend",
    "route_node3": "10.1.15.0/24 via 192.168.66.11 dev eth0",
    "noticed_by": "nobody",
}
