# As it was written for 0.7: the policy is a keyword, distributions install, and each location has methods of its own.

def make_dist():
    return default_python_distribution(flavor = "standalone")

def make_exe(dist):
    exe = dist.to_python_executable(
        name = "old",
        resources_policy = "prefer-in-memory-fallback-filesystem-relative:lib",
        config = PythonInterpreterConfig(run_module = "inner", sys_frozen = False),
        extension_module_filter = "no-gpl",
        include_sources = True,
        include_resources = False,
        include_test = False,
    )
    exe.add_in_memory_python_resources(dist.read_package_root(CWD, ["inner"]))
    exe.add_filesystem_relative_python_resources("outside", dist.read_package_root(CWD, ["outer"]), optimize_level = 2)
    exe.add_python_resources(dist.pip_install(["iniconfig==2.0.0"]))
    return exe

register_target("dist", make_dist)
register_target("exe", make_exe, depends = ["dist"])
resolve_targets()
