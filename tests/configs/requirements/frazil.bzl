# Helpers of another file, requirements of a list, and a resource that is left out.

load("helpers.bzl", "make_policy", "without")

def make_exe():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.run_module = "main"
    exe = dist.to_python_executable(name = "app", packaging_policy = make_policy(dist), config = config)
    exe.add_python_resources(exe.read_package_root(".", ["main"]))
    exe.add_python_resources(without(exe.pip_install(["-r", "requirements.txt"], extra_envs = {"PIP_NO_COMPILE": "1"}), "six"))
    return exe

register_target("exe", make_exe)
resolve_targets()
