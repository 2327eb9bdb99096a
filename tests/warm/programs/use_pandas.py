# /// script
# requires-python = ">=3.11"
# dependencies = ["pandas"]
# ///
import io
import sqlite3

import numpy as np
import pandas as pd

def main():
    frame = pd.read_csv(io.StringIO("day,name,value\n2024-01-01,a,1\n2024-01-02,b,2\n2024-01-03,a,3\n"), parse_dates=["day"])
    print(frame.groupby("name")["value"].sum())
    print(frame.set_index("day").resample("2D").sum(numeric_only=True), frame.dtypes)
    print(frame.merge(pd.DataFrame({"name": ["a"], "more": [9]}), on="name").to_json())
    days = pd.date_range("2024-01-01", periods=200, freq="h", tz="Europe/Berlin")
    values = pd.DataFrame({"x": np.random.default_rng(3).normal(size=200), "k": list("abcd") * 50}, index=days)
    print(values["x"].rolling("6h").mean().tail(3), values.resample("D")["x"].agg(["min", "max"]), values["x"].describe())
    print(values.pivot_table(values="x", index=values.index.day, columns="k", aggfunc="median").round(6))
    print(values.groupby("k")["x"].transform(lambda x: x - x.mean()).sum().round(9), values["k"].astype("category").cat.codes[:5].tolist())
    print(values.query("x > 2 and k == 'a'"), values["k"].str.upper().value_counts().to_dict(), values.corr(numeric_only=True))
    csv = values.head(3).to_csv(float_format="%.4f")
    print(csv, pd.read_csv(io.StringIO(csv), index_col=0, parse_dates=True).dtypes)
    print(pd.concat([frame, frame]).drop_duplicates().sort_values("value", ascending=False).to_string(index=False))
    print(pd.Series([1, None, 3], dtype="Int64").fillna(0).cumsum().tolist(), pd.to_timedelta("1 day 2h") / 2, pd.isna(pd.NaT))
    base = sqlite3.connect(":memory:")
    frame.to_sql("frame", base, index=False)
    print(pd.read_sql("select name, sum(value) total from frame group by name", base))
    try:
        frame["missing"]
    except KeyError as error:
        print("no column", error)
    print(pd.Timestamp("2024-05-01", tz="Europe/Berlin"))


if __name__ == "__main__":
    main()
