"""`python -m hotline.phone`."""

import sys

from hotline.phone.command import main

sys.exit(main())
