# A Python interpreter in one file, with a package of its own.

def make_exe():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.config_profile = "python"
    exe = dist.to_python_executable(name = "mypython", config = config)
    exe.add_python_resource(exe.make_python_module_source("own", "VALUE = 5"))
    return exe

register_target("python", make_exe)
resolve_targets()
