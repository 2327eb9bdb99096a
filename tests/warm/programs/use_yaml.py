# /// script
# requires-python = ">=3.11"
# dependencies = ["pyyaml"]
# ///
import yaml

if __name__ == "__main__":
    print(yaml.load("a: [1, 2.5, x]\nb: {c: 2024-01-01}\n", Loader=yaml.CSafeLoader))
    print(yaml.safe_dump({"b": [1, {"c": None}]}))
    try:
        yaml.safe_load("a: [")
    except yaml.YAMLError as error:
        print(error)
