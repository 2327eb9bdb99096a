# /// script
# requires-python = ">=3.11"
# dependencies = ["msgpack", "orjson", "python-dateutil"]
# ///
from datetime import datetime

import dateutil.parser
import dateutil.rrule
import dateutil.tz
import msgpack
import orjson

def main():
    print(msgpack.unpackb(msgpack.packb({"a": [1, b"x", 2.5]})))
    print(orjson.dumps({"t": datetime(2024, 1, 1), "n": [1, None]}, option=orjson.OPT_SORT_KEYS))
    print(msgpack.packb({"t": msgpack.ExtType(5, b"x"), "big": 2**63, "n": -1.5}).hex())
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(msgpack.packb({1: "a"}) + msgpack.packb([None, True])[:-1])
    print(list(unpacker))
    try:
        orjson.loads("[1,]")
    except orjson.JSONDecodeError as error:
        print(error)
    print(dateutil.parser.parse("Thu Sep 25 10:36:28 2003 -0300"), dateutil.tz.gettz("UTC"))
    print(list(dateutil.rrule.rrule(dateutil.rrule.WEEKLY, count=3, dtstart=dateutil.parser.parse("1 Feb 2024"))))


if __name__ == "__main__":
    main()
