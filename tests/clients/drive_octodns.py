"""octodns-bind: what it sends to bring a zone from one state to another.

It would read the first state by a zone transfer, which is given here instead; planning, batching and
sending are its own. Arguments: address, port, secret, size of a batch, then the two states in JSON:
lists of [name, type, ttl, values].
"""

import json
import sys

from octodns.record import Record
from octodns.zone import Zone
from octodns_bind import Rfc2136Provider, Rfc2136ProviderUpdateFailed

ZONE = "a.test."

address, port, secret, batch, before, after = sys.argv[1:]


def record(zone, name, rtype, ttl, values):
    data = {"type": rtype, "ttl": ttl}
    data.update({"value": values[0]} if rtype == "CNAME" else {"values": values})
    return Record.new(zone, name, data)


def zone(text):
    filled = Zone(ZONE, [])
    for row in json.loads(text):
        filled.add_record(record(filled, *row))
    return filled


class Provider(Rfc2136Provider):
    def populate(self, into, target=False, lenient=False):
        for known in zone(before).records:
            into.add_record(known, lenient=lenient)
        return True


provider = Provider(
    "lastgood",
    address,
    port=port,
    key_name="demo.",
    key_secret=secret,
    key_algorithm="hmac-sha256",
    update_batch_size=int(batch),
)
plan = provider.plan(zone(after))
try:
    print(provider.apply(plan) if plan else 0)
except Rfc2136ProviderUpdateFailed as error:
    sys.exit(f"{error}")
