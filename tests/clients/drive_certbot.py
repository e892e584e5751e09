"""certbot's plugin for RFC 2136, without an ACME server: what it does for one challenge.

Arguments: address, port, secret, then `add` or `del`, name, text; with `signed`, its queries are too.
"""

import sys

import dns.tsig
from certbot.errors import PluginError
from certbot_dns_rfc2136._internal.dns_rfc2136 import _RFC2136Client

address, port, secret, verb, name, text, *rest = sys.argv[1:]
client = _RFC2136Client(
    address, int(port), "demo.", secret, dns.tsig.HMAC_SHA256, rest == ["signed"], 10
)
try:
    if verb == "add":
        client.add_txt_record(name, text, 120)
    else:
        client.del_txt_record(name, text)
except PluginError as error:
    sys.exit(f"{error}")
