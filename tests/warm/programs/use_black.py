# /// script
# requires-python = ">=3.11"
# dependencies = ["black"]
# ///
import black

if __name__ == "__main__":
    print(black.format_str("def f( a,b ):\n  return {'a':a,\n 'b':b}\n", mode=black.Mode(line_length=60)))
    try:
        black.format_str("def (", mode=black.Mode())
    except black.InvalidInput as error:
        print(error)
    black.main(["--version"], standalone_mode=False)
