"""A plain pyinfra deploy of a sending host, for the stock command: operation after operation, as its manual shows."""

from pyinfra import host
from pyinfra.operations import apt, files, server, systemd
from pyinfra.operations.util import any_changed

for service in host.data.services:
    name = service["name"]
    changes = []
    if service["packages"]:
        changes.append(apt.packages(name=f"{name}: packages", packages=service["packages"]))
    for user in service["users"]:
        server.user(
            name=f"{name}: user {user['name']}",
            user=user["name"],
            home=user["home"],
            groups=user["groups"],
            system=True,
            create_home=False,
        )
    for user, group in service["memberships"]:
        server.user(name=f"{name}: {user} in {group}", user=user, groups=[group], append=True)
    for path, owner, group, mode in service["directories"]:
        files.directory(name=f"{name}: {path}", path=path, user=owner, group=group, mode=mode)
    for source, path, owner, group, mode in service["files"]:
        changes.append(files.put(name=f"{name}: {path}", src=source, dest=path, user=owner, group=group, mode=mode))
    for path in service["absent"]:
        files.file(name=f"{name}: no {path}", path=path, present=False)
    for unit in service["reload"]:
        systemd.service(name=f"{name}: restart {unit}", service=unit, restarted=True, _if=any_changed(*changes))
    for unit in service["up"]:
        systemd.service(name=f"{name}: {unit} is up", service=unit, running=True, enabled=True)
    for unit in service["down"]:
        systemd.service(name=f"{name}: {unit} is down", service=unit, running=False, enabled=False)
