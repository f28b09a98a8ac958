"""What the system tests share, in one place to import from."""
from base import *      # noqa: F401,F403
from hop import *       # noqa: F401,F403
from peers import *     # noqa: F401,F403
