"""The messages of Ansible's community.general.nsupdate, in its order, with the library that it uses.

It asks with messages that hold prerequisites and nothing else whether there is anything to do, and then
does it. Arguments: address, port, secret, `present` or `absent`, owner, type, TTL, values.
Prints `ok`, or `changed`, or the RCODE that it would fail with.
"""

import sys

import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
from dns.rcode import NOERROR, NXDOMAIN, NXRRSET

address, port, secret, state, owner, rtype, ttl, *values = sys.argv[1:]
keyring = dns.tsigkeyring.from_text({"demo.": secret})


def message():
    return dns.update.Update("a.test.", keyring=keyring, keyalgorithm=dns.tsig.HMAC_SHA256)


def send(update):
    return dns.query.tcp(update, address, timeout=10, port=int(port)).rcode()


def fail_unless(rcode, expected):
    if rcode not in expected:
        print(dns.rcode.to_text(rcode))
        sys.exit(0)


def exists():
    """None, or some other data, or exactly these."""
    update = message()
    update.present(owner, rtype)
    rcode = send(update)
    fail_unless(rcode, (NOERROR, NXDOMAIN, NXRRSET))
    if rcode != NOERROR:
        return "none"
    update = message()
    for value in values:
        update.present(owner, rtype, value)
    rcode = send(update)
    fail_unless(rcode, (NOERROR, NXRRSET))
    return "these" if rcode == NOERROR else "others"


def create():
    update = message()
    for value in values:
        update.add(owner, ttl, rtype, value)
    fail_unless(send(update), (NOERROR,))


def modify():
    update = message()
    update.delete(owner, rtype)
    for value in values:
        update.add(owner, ttl, rtype, value)
    fail_unless(send(update), (NOERROR,))


def remove():
    update = message()
    update.delete(owner, rtype)
    fail_unless(send(update), (NOERROR,))


found = exists()
if state == "absent":
    if found != "none":
        remove()
    print("ok" if found == "none" else "changed")
elif found == "these":
    print("ok")
else:
    create() if found == "none" else modify()
    print("changed")
