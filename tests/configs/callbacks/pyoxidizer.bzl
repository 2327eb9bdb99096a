# Callbacks look at every resource, change it, and fill a global list that the rest of the program reads.

BESIDE = []
SKIPPED = []

def on_resource(policy, resource):
    if type(resource) == "PythonModuleSource" and not resource.is_stdlib:
        if resource.name.startswith("tool.tests"):
            resource.add_include = False
            SKIPPED.append(resource.name)
        elif resource.name in ("tool.plugins.extra",):
            resource.add_location = "filesystem-relative:plugins"
            BESIDE.append(resource.name)
    elif type(resource) in ("PythonPackageResource"):
        resource.add_location = "in-memory"
        resource.add_location_fallback = None

def make_exe():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.register_resource_callback(on_resource)
    config = dist.make_python_interpreter_config()
    config.run_module = "tool"
    exe = dist.to_python_executable("tool", policy, config)
    for resource in exe.read_package_root("src", ["tool"]):
        exe.add_python_resource(resource)
    print("beside:", BESIDE, "skipped:", SKIPPED)
    return exe

register_target("exe", make_exe)
resolve_targets()
