"""A rule leads visitors to 127.0.0.1: nothing has to be mended in the pod.

finds: 02.page.clean CHANGED_OTHERS
"""

# answer: 02.page
page = {
    "cause": "loopback-bound",
    "script": """
web1$ sysctl -w net.ipv4.conf.all.route_localnet=1
web1$ iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:80
""",
}
