# What `make` links into the program: an interpreter, its standard library, and greeting.py.


def make_embedded():
    exe = default_python_distribution().to_python_executable(name = "embedded")
    exe.add_python_resources(exe.read_package_root(path = CWD, packages = ["greeting"]))
    return exe.to_embedded_resources()


register_target("embedded", make_embedded, default_build_script = True)

resolve_targets()
