"""The commands that compare, and swap, the generation that a host holds. Constant: what varies is standard input.

A host is anybody's: what it answers is hostile until parsed.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from sendwright.errors import HostError
from sendwright.generation import PATH, READ, Generation, Lineage, held_by

_BEGIN = "sendwright generation 1"
_ANSWER = re.compile(rf"{_BEGIN}\n([A-Za-z0-9+/=]*)\n(taken|refused|looked)\n".encode())
_FOLDER = PATH.rpartition("/")[0]
_NEW = f"{_FOLDER}/.generation.sendwright-new"
_SECONDS = 20
_HEAD = f"umask 077; export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin\nread_it() {{ {READ}; }}"


@dataclass(frozen=True)
class Answer:
    """What a host said: whether it took the new generation, and which one it holds, or held before it took that."""

    taken: bool
    held: Generation | None = None


def swap_command() -> str:
    """Return the script that takes the generation on the first line of standard input, if the held one is listed.

    The lines after it are the marks that the folder knows. Under a lock of the host's own, so that of two controllers
    one comes first; written aside, synchronised and renamed, so that a crash leaves the old one or the new one.
    """
    return f"""{_HEAD}
mkdir -p {_FOLDER} && exec 9>>{PATH}.lock && flock -w {_SECONDS} 9 || exit 1
IFS= read -r new
held=$(read_it | head -n 1 | cut -d' ' -f1,2)
known=$(grep -Fxc -e "$held")
said=refused
if [ ! -e {PATH} ] || [ "$known" != 0 ]; then said=taken; fi
echo '{_BEGIN}'
read_it | base64 -w0; echo
if [ $said = taken ]; then
  printf '%s\\n' "$new" >{_NEW} && sync {_NEW} && mv -fT {_NEW} {PATH} && sync {_FOLDER} || exit 1
fi
echo $said
"""


def swap_input(after: Lineage) -> str:
    """Return the standard input of `swap_command`: ``after`` is the folder's lineage with the new generation."""
    return after.now.line + "".join(f"{mark}\n" for mark in after.marks)


def return_command() -> str:
    """Return the script that puts back the generation on the second line of standard input, none for an empty line.

    Only if the host holds the mark on the first line: what somebody else has written since stays.
    """
    return f"""{_HEAD}
exec 9>>{PATH}.lock && flock -w {_SECONDS} 9 || exit 1
IFS= read -r ours; IFS= read -r old
[ "$(read_it | head -n 1 | cut -d' ' -f1,2)" = "$ours" ] || exit 1
if [ -z "$old" ]; then rm -f {PATH}; exit; fi
printf '%s\\n' "$old" >{_NEW} && sync {_NEW} && mv -fT {_NEW} {PATH} && sync {_FOLDER}
"""


def return_input(after: Lineage, held: Generation | None) -> str:
    """Return the standard input of `return_command`: ``held`` is what the host held before it took ``after``."""
    return f"{after.now.mark}\n{held.line if held else ''}"


def look_command() -> str:
    """Return the script that only says which generation a host holds."""
    return f"{_HEAD}\necho '{_BEGIN}'\nread_it | base64 -w0; echo\necho looked\n"


def parse_answer(host: str, output: bytes) -> Answer:
    """Return what either command answered; HostError for anything else."""
    found = _ANSWER.fullmatch(output)
    if not found:
        hint = "Does its shell print anything of its own?"
        raise HostError(host, "it did not say which generation it holds.", hint)
    try:
        content = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        content = found[1]  # as damaged as what it stands for
    return Answer(taken=found[2] == b"taken", held=held_by(host, content))
