# /// script
# requires-python = ">=3.11"
# dependencies = ["pyyaml"]
# ///
import yaml

def main():
    print(yaml.load("a: [1, 2.5, x]\nb: {c: 2024-01-01}\n", Loader=yaml.CSafeLoader))
    print(yaml.safe_dump({"b": [1, {"c": None}]}))
    documents = list(yaml.load_all("--- &a {x: 1}\n--- !!set {p, q}\n--- |\n  text\n", Loader=yaml.SafeLoader))
    print(documents[0], sorted(documents[1]), documents[2:], yaml.dump("ä: x", allow_unicode=True, Dumper=yaml.CSafeDumper))
    yaml.SafeLoader.add_constructor("!twice", lambda loader, node: 2 * int(loader.construct_scalar(node)))
    print(yaml.safe_load("a: !twice 21\nb: &x [1]\nc: *x"), [type(one).__name__ for one in yaml.parse("a: 1")])
    try:
        yaml.safe_load("a: [")
    except yaml.YAMLError as error:
        print(error)


if __name__ == "__main__":
    main()
