"""flannel's net-conf, its limits and its errors; subnet.env; flanneld's command line."""

from __future__ import annotations

import pytest

from k8snetlib.errors import BadCommand
from k8snetlib.flannel import subnet_env
from k8snetlib.flannel.config import NetConf, backend_option, check_network_config, parse_config
from k8snetlib.flannel.ip import FlannelError, IP6Net, parse_cidr
from k8snetlib.flannel.options import Options, parse_options

#: A net-conf that flannel refuses, and its words.
REFUSED = {
    "": "unexpected end of JSON input",
    "{": "unexpected end of JSON input",
    "{Network: 1}": "invalid character 'N' looking for beginning of object key string",
    '{"Network" "10.1.0.0/16"}': "invalid character '\"' after object key",
    '{"Network": 10.1}': "invalid CIDR address: 10.1",
    '{"Network": "10.1.0.0"}': "invalid CIDR address: 10.1.0.0",
    '{"Network": "10.1.0.0/33"}': "invalid CIDR address: 10.1.0.0/33",
    '{"Network": "fd00::/48"}': "invalid CIDR address: fd00::/48",
    '{"Network": "10.1.0.0/16"} x': "invalid character 'x' after top-level value",
    "[]": "json: cannot unmarshal array into Go value of type subnet.Config",
    '"x"': "json: cannot unmarshal string into Go value of type subnet.Config",
    '{"Network": "10.1.0.0/16", "SubnetMin": "10.1.300.0"}': "Invalid IP address format",
    '{"Network": "10.1.0.0/16", "SubnetLen": "24"}':
        "json: cannot unmarshal string into Go struct field Config.SubnetLen of type uint",
    '{"Network": "10.1.0.0/16", "SubnetLen": -1}':
        "json: cannot unmarshal number -1 into Go struct field Config.SubnetLen of type uint",
    '{"Network": "10.1.0.0/16", "EnableIPv4": 1}':
        "json: cannot unmarshal number 1 into Go struct field Config.EnableIPv4 of type bool",
    "{}": "please define a correct Network parameter in the flannel config",
    "null": "please define a correct Network parameter in the flannel config",
    '{"Network": "0.0.0.0/0"}': "please define a correct Network parameter in the flannel config",
    '{"Network": "10.1.0.0/16", "SubnetLen": 31}': "SubnetLen must be less than /31",
    '{"Network": "10.1.0.0/23", "SubnetLen": 24}':
        "network must be able to accommodate at least four subnets",
    '{"EnableIPv6": true, "EnableIPv4": false}':
        "please define a correct IPv6Network parameter in the flannel config",
    '{"EnableIPv6": true, "EnableIPv4": false, "IPv6Network": "fd00::/125"}':
        "IPv6Network is too small. Minimum useful network prefix is /124",
    '{"EnableIPv6": true, "EnableIPv4": false, "IPv6Network": "fd00::/64", "IPv6SubnetLen": 127}':
        "SubnetLen must be less than /127",
    '{"EnableIPv6": true, "EnableIPv4": false, "IPv6Network": "fd00::/48",'
    ' "IPv6SubnetMin": "fd01::"}': "IPv6SubnetMin is not in the range of the IPv6Network",
    '{"EnableIPv6": true, "EnableIPv4": false, "IPv6Network": "fd00::/48",'
    ' "IPv6SubnetMax": "fd00:0:0:f::1"}':
        "IPv6SubnetMax is not on a SubnetLen boundary: fd00:0:0:f::1",
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=map(repr, REFUSED))
def test_a_wrong_net_conf_is_refused_in_flannel_s_words(text: str, says: str) -> None:
    with pytest.raises(FlannelError) as refused:
        check_network_config(parse_config(text))
    assert refused.value.message == says


#: Network, SubnetLen given -> the length, the first and the last subnet that are leased.
RANGES = [
    ("10.1.0.0/16", 0, (24, "10.1.1.0", "10.1.255.0")),
    ("10.0.0.0/8", 20, (20, "10.0.16.0", "10.255.240.0")),
    ("10.1.0.0/23", 0, (25, "10.1.0.128", "10.1.1.128")),
    ("10.1.0.0/28", 0, (30, "10.1.0.4", "10.1.0.12")),
    ("10.1.2.3/16", 0, (24, "10.1.1.0", "10.1.255.0")),
]


@pytest.mark.parametrize(("network", "given", "wanted"), RANGES)
def test_the_range_of_subnets(network: str, given: int, wanted: tuple[int, str, str]) -> None:
    text = f'{{"network": "{network}", "SUBNETLEN": {given}}}'  # names in any case, as Go has it
    conf = check_network_config(parse_config(text))
    assert (conf.subnet_len, conf.subnet_min, conf.subnet_max) == wanted


def test_the_backend_s_options() -> None:
    """A missing backend is udp; options in any case; a wrong type is refused."""
    assert parse_config('{"Network": "10.1.0.0/16"}').backend_type == "udp"
    conf = parse_config('{"Backend": {"type": "vxlan", "vni": 7, "Port": "x", "directRouting": 1}}')
    assert conf.backend_type == "vxlan"
    assert backend_option(conf, "VNI", 1) == 7
    assert backend_option(conf, "MTU", 0) == 0
    for name, default, says in (("Port", 0, "string into .*Port of type int"),
                                ("DirectRouting", False, "number 1 into .*of type bool")):  # fmt: skip
        with pytest.raises(FlannelError, match=f"error decoding VXLAN backend config: .*{says}"):
            backend_option(conf, name, default)
    with pytest.raises(FlannelError, match="error decoding Backend property of config"):
        parse_config('{"Backend": "vxlan"}')


CONF = check_network_config(parse_config('{"Network": "10.1.0.0/16"}'))


def test_subnet_env_is_read_as_it_was_written() -> None:
    """The lease's first address is the bridge's; read back it is the subnet again."""
    subnet = parse_cidr("10.1.15.0/24")
    text = subnet_env.write(CONF, True, subnet, None, 1450)
    assert text == (
        "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.15.1/24\n"
        "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
    )
    assert subnet_env.previous_subnet(text) == subnet
    six = IP6Net.parse("fd00:1:15::/64")
    both = subnet_env.write(
        CONF._replace(enable_ipv6=True, ipv6_network=IP6Net.parse("fd00:1::/48")),
        False, subnet, six, 1500,
    )  # fmt: skip
    assert "FLANNEL_IPV6_NETWORK=fd00:1::/48\nFLANNEL_IPV6_SUBNET=fd00:1:15::1/64\n" in both
    assert subnet_env.previous_subnet6(both) == six


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("FLANNEL_MTU=1450\n", []),
        ("FLANNEL_SUBNET=not-a-cidr\n", []),
        ("# FLANNEL_SUBNET=10.1.1.1/24\n", []),
        ('export FLANNEL_SUBNET="10.1.1.1/24"\n', ["10.1.1.0/24"]),
        ("FLANNEL_SUBNET=10.1.1.0/24,nothing,10.1.2.0/24\n", ["10.1.1.0/24", "10.1.2.0/24"]),
    ],
)
def test_what_a_subnet_env_says(text: str, found: list[str]) -> None:
    """What cannot be read is passed over; more than one subnet is none."""
    assert [str(net) for net in subnet_env.subnets(text)] == found
    only = subnet_env.previous_subnet(text)
    assert (str(only) if only else None) == (found[0] if len(found) == 1 else None)


def test_docker_masquerades_where_flannel_does_not() -> None:
    text = subnet_env.write(CONF, True, parse_cidr("10.1.15.0/24"), None, 1472)
    said = subnet_env.docker_opts(text, combined=True)
    assert said == 'DOCKER_OPTS=" --bip=10.1.15.1/24 --ip-masq=false --mtu=1472"\n'


def test_the_command_line() -> None:
    """Go's flags: one hyphen or two, = or a blank, switches with a value."""
    assert parse_options("") == Options()
    assert parse_options("-ip-masq --iface=eth1 -iface eth2 --public-ip 1.2.3.4") == Options(
        ip_masq=True, iface=("eth1", "eth2"), public_ip="1.2.3.4"
    )
    told = parse_options("--iptables-forward-rules=false --ip-masq-random-fully-disable -v=9")
    assert (told.forward_rules, told.random_fully) == (False, False)


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        ("--ip-maskq", "flag provided but not defined: -ip-maskq", "--ip-masq"),
        ("ip-masq", "flag provided but not defined", ""),
        ("--iface", "flag needs an argument: -iface", ""),
        ("--ip-masq=perhaps", 'invalid boolean value "perhaps" for flag -ip-masq', ""),
        ("--iptables-resync=soon", 'invalid value "soon" for flag -iptables-resync', ""),
        ("--subnet-lease-renew-margin=1440", "out of acceptable range", "1 to 1439"),
        ("--subnet-lease-renew-margin=0", "out of acceptable range", "1 to 1439"),
    ],
)
def test_a_wrong_command_line(words: str, says: str, hint: str) -> None:
    with pytest.raises(BadCommand, match=says) as refused:
        parse_options(words)
    assert hint in refused.value.hint


def test_a_conf_that_was_not_checked_allows_nothing_wrong() -> None:
    """Outside the range, or of another length: not a lease of this network."""
    for subnet, fits in (("10.1.1.0/24", True), ("10.1.0.0/24", False), ("10.1.1.0/25", False),
                         ("10.2.1.0/24", False), ("10.1.255.0/24", True)):  # fmt: skip
        assert CONF.allows(parse_cidr(subnet)) == fits
    assert NetConf().backend_type == "udp"
