"""Run a command that ends when its parent does: `leash.py PARENT_PID SIGNAL USER COMMAND ...`.

A parent that is killed with SIGKILL cannot stop its servers. On Linux the kernel does it
(prctl(2), PR_SET_PDEATHSIG); elsewhere the command is run as it is. USER is `-`, or who to become
first: a change of user undoes what was asked of the kernel before it.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the command."""
    parent, number, user, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    if user != "-":
        import pwd  # not on Windows

        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the call above
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
