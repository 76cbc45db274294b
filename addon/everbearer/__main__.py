"""`python -m everbearer`: the same as the command `everbearer`."""

from everbearer.cli.main import main

main()
