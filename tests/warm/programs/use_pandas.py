# /// script
# requires-python = ">=3.11"
# dependencies = ["pandas"]
# ///
import io

import pandas as pd

if __name__ == "__main__":
    frame = pd.read_csv(io.StringIO("day,name,value\n2024-01-01,a,1\n2024-01-02,b,2\n2024-01-03,a,3\n"), parse_dates=["day"])
    print(frame.groupby("name")["value"].sum())
    print(frame.set_index("day").resample("2D").sum(numeric_only=True), frame.dtypes)
    print(frame.merge(pd.DataFrame({"name": ["a"], "more": [9]}), on="name").to_json())
    print(pd.Timestamp("2024-05-01", tz="Europe/Berlin"))
