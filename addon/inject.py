"""What `mitmdump -s` loads; everything else is in the package beside it."""

import sys
from pathlib import Path

# Beside an installed package this changes nothing; from a checkout it is the path.
sys.path.insert(0, str(Path(__file__).parent))

from everbearer.proxy.stock import Everbearer

addons = [Everbearer()]
