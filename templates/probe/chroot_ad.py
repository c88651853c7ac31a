"""Print whether Postfix's chroot sees that answers are validated, as {"answered": …, "ad": …}.

Run on a host, as root, from templates/probe/chroot_ad.py: never installed. It asks as smtp(8) does: as the
user postfix, inside the queue directory, through the C library's resolver and whatever resolv.conf lies there.
"""

import ctypes
import json
import os
import pwd

_QUEUE = "/var/spool/postfix"
_IN, _SOA = 1, 6  # RFC 1035 section 3.2
_AD = 0x20  # RFC 4035 section 3.2.3: a bit of the header's fourth octet

# Both are looked up before the chroot, where neither exists.
libc = ctypes.CDLL("libc.so.6")
account = pwd.getpwnam("postfix")

os.chroot(_QUEUE)
os.chdir("/")
os.setgroups([])
os.setgid(account.pw_gid)
os.setuid(account.pw_uid)

answer = ctypes.create_string_buffer(65535)
# The root's SOA: in production and in a rehearsal it exists and is signed.
length = libc.res_query(b".", _IN, _SOA, answer, len(answer))
print(json.dumps({"answered": length >= 12, "ad": length >= 12 and bool(answer.raw[3] & _AD)}))
