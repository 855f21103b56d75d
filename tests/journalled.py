"""genbook's command line that notes each part as it begins to write it and once it is stored: a script for the tests.

``JOURNAL`` names the file; a line is 'began' or 'stored', the key, and the seed. ``PAUSE``
are seconds to wait between the two.
"""

import os
import time

from genbook.tables.store import Store

_write = Store.write


def _noted(self, key, seed, part):
    _note("began", key, seed)
    time.sleep(float(os.environ.get("PAUSE", "0")))
    path = _write(self, key, seed, part)
    _note("stored", key, seed)
    return path


def _note(*words):
    handle = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (" ".join(map(str, words)) + "\n").encode())
    os.close(handle)


def keep_a_journal():
    """From now on each part that this process stores is noted."""
    Store.write = _noted


if __name__ == "__main__":
    keep_a_journal()
    from genbook.__main__ import main

    main()
