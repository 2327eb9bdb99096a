# What `make` links into the program: an interpreter, its standard library, and greeting.py.


def make_embedded():
    dist = default_python_distribution()

    # What frazil_main would run. Without it the whole standard library goes in, as the C program may ask for anything.
    config = dist.make_python_interpreter_config()
    config.run_module = "greeting"

    exe = dist.to_python_executable(name = "embedded", config = config)
    exe.add_python_resources(exe.read_package_root(path = CWD, packages = ["greeting"]))
    return exe.to_embedded_resources()


register_target("embedded", make_embedded, default_build_script = True)

resolve_targets()
