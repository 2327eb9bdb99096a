# The examples of the documentation of 0.8: a distribution as a target of its own, and what is made of it.

def get_python_distribution():
    return default_python_distribution()

register_target("python", get_python_distribution)

def make_dist():
    return default_python_distribution()

register_target("dist", make_dist)

def make_exe(dist):
    policy = dist.make_python_packaging_policy()
    policy.resources_policy = VARS["POLICY"]
    config = PythonInterpreterConfig(run_eval = "import sys, inner; print(inner.__name__, inner.__file__.replace(sys.executable[:-4], ''))")
    exe = dist.to_python_executable(name = "app", packaging_policy = policy, config = config)
    for resource in exe.read_package_root(CWD, ["inner"]):
        resource.add_location = VARS["LOCATION"]
        exe.add_python_resource(resource)
    return exe

register_target("exe", make_exe, depends = ["dist"], default = True, default_build_script = True)

resolve_targets()
