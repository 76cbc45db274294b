"""
The command `everbearer` with one scheme more: one file and one entry.

A provider that uses it is another entry, as it is for every scheme.
"""

from everbearer.cli.main import main
from everbearer.policy.hosts import HostPattern
from everbearer.policy.paths import PathPattern
from everbearer.policy.rules import Rule
from everbearer.providers import PROVIDERS
from everbearer.providers.contract import Preset
from everbearer.schemes import SCHEMES
from schemes.toy import Toy

SCHEMES[Toy.name] = Toy()
PROVIDERS["toy"] = Preset(
    name="toy",
    token_url="https://api.toy.test/token",
    exclusions=(),
    injecting=(
        Rule(
            label="toy: things",
            hosts=(HostPattern.parse("api.toy.test"),),
            paths=(PathPattern.parse("/things/*"),),
        ),
    ),
    default_expires_in=3600.0,
    scheme=Toy.name,
)

if __name__ == "__main__":
    main()
