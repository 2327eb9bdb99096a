# /// script
# requires-python = ">=3.11"
# dependencies = ["msgpack", "orjson", "python-dateutil"]
# ///
from datetime import datetime

import dateutil.parser
import dateutil.rrule
import msgpack
import orjson

if __name__ == "__main__":
    print(msgpack.unpackb(msgpack.packb({"a": [1, b"x", 2.5]})))
    print(orjson.dumps({"t": datetime(2024, 1, 1), "n": [1, None]}, option=orjson.OPT_SORT_KEYS))
    print(list(dateutil.rrule.rrule(dateutil.rrule.WEEKLY, count=3, dtstart=dateutil.parser.parse("1 Feb 2024"))))
