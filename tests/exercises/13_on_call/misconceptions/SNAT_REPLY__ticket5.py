"""What gets no answer did not arrive.

finds: 13.ticket5.cause SNAT_REPLY
"""

# answer: 13.ticket5
ticket5 = {
    "cause": "no-route",
    "script": """
node1$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node1$ systemctl restart flanneld
node2$ sed -i 's/OPTIONS="/OPTIONS="--ip-masq /' /etc/default/flanneld
node2$ systemctl restart flanneld
""",
}
