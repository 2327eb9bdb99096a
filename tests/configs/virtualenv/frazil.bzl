# Third-party code out of a virtual environment that stands beside the configuration.

def make_exe():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.run_command = "import importlib.metadata, thing.part; print(thing.part.NAME, importlib.metadata.version('thing'))"
    exe = dist.to_python_executable(name = "app", config = config)
    kinds = {}
    for resource in exe.read_virtualenv("env"):
        kinds.setdefault(type(resource), []).append(resource.name)
        exe.add_python_resource(resource)
    print(sorted(kinds.keys()))
    return exe

register_target("exe", make_exe)
resolve_targets()
