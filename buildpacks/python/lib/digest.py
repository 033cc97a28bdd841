"""A digest over texts that cannot be confused with one over other texts."""

import hashlib


def digest(*parts):
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "replace")
        hashed.update(str(len(data)).encode() + b":" + data)
    return hashed.hexdigest()
