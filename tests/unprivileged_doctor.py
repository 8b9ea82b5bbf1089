"""A program for tests of doctor: `soulspot-db ARGUMENTS`, to which permissions apply, also where the tests are run by root."""

import os
import sys

from unprivileged import GIVEN_UP, give_up_privileges

if __name__ == "__main__":
    if sys.argv[-1] == GIVEN_UP:
        sys.argv.pop()
    elif os.geteuid() == 0:
        give_up_privileges()
    from soulspot_db.cli import main

    main(prog_name="soulspot-db")
