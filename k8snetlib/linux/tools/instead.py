"""What lives here: commands that an administrator has in the fingers and this prompt has not, and
what does the same here. What may not: commands that do something."""

from __future__ import annotations

_CURL = "Here: curl http://HOST:PORT/"
_EDIT = "Here: sed -i 's/OLD/NEW/' FILE, or tee FILE <<EOF."
_FIREWALL = "Here: iptables -S, with -t nat for the other table, and nft list ruleset."
_LESS = (
    "There are no pipes here: ask for less (iptables -S CHAIN, ip route show dev DEV, cat FILE)."
)
_MODULES = "Modules are always there: sysctl shows and changes their settings."
_PODS = "Containers show as pods: kubectl get pods -o wide. Their bridge shows with ip and bridge."
_SHELL = "Each pod has a prompt of its own, or type: kubectl exec POD -- COMMAND."

INSTEAD = {
    "arp": "Here: ip neigh",
    "bash": _SHELL,
    "brctl": "Here: bridge link, bridge fdb",
    "crictl": _PODS,
    "ctr": _PODS,
    "dmesg": "The kernel's log is not modelled: iptables -L -v, sysctl -a and tcpdump tell more.",
    "docker": _PODS,
    "echo": _EDIT,
    "ethtool": "Here: ip -d link",
    "firewall-cmd": _FIREWALL,
    "grep": _LESS,
    "head": _LESS,
    "host": "Here: nslookup NAME, dig NAME",
    "ifconfig": "Here: ip addr, ip link",
    "less": _LESS,
    "lsmod": _MODULES,
    "modprobe": _MODULES,
    "mtr": "Here: traceroute HOST",
    "nano": _EDIT,
    "nc": _CURL,
    "netstat": "Here: ss -lntup; ip route",
    "ps": "Here: systemctl status UNIT, and ss -lntup for who listens",
    "route": "Here: ip route",
    "service": "Here: systemctl { status | start | stop | restart } UNIT",
    "sh": _SHELL,
    "tail": _LESS,
    "telnet": _CURL,
    "tracepath": "Here: traceroute HOST, and ping -M do -s BYTES for the size",
    "ufw": _FIREWALL,
    "vi": _EDIT,
    "vim": _EDIT,
    "wget": _CURL,
}
