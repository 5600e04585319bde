"""The version of this program, and its commit where it runs from a git checkout; results note both."""

import functools
import subprocess
from pathlib import Path

__version__ = "1.0.0"
CHECKOUT = Path(__file__).resolve().parents[2]


@functools.cache
def program() -> str:
    """Return the program's name and version; of a git checkout also the commit, and whether files differ from it."""
    named = f"osmn {__version__}"
    if not (CHECKOUT / ".git").exists():
        return named
    # The folders are named, because git's own variables in the environment may name another repository.
    git = ["git", f"--git-dir={CHECKOUT / '.git'}", f"--work-tree={CHECKOUT}"]
    describe = ["describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=, changed"]
    try:
        done = subprocess.run([*git, *describe], capture_output=True, encoding="utf-8", timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # No git here, or a folder that git does not trust.
        return named
    return f"{named}, commit {done.stdout.strip()}"
