"""What ``fresh.py`` has from an import, so from the snapshot, and uses later."""

import concurrent.futures
import secrets
import ssl
import tempfile

CONTEXT = ssl.create_default_context()
RANDOM = secrets.SystemRandom()
NAMES = tempfile._get_candidate_names()
POOL = concurrent.futures.ThreadPoolExecutor(1)
