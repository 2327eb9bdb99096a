# As it was written just before 0.8: the policy is an object, what resources it allows is a string of it.

def make_exe():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.resources_policy = "filesystem-relative-only:lib"
    policy.bytecode_optimize_level_zero = True
    config = PythonInterpreterConfig()
    config.run_mode = "module:main"
    config.raw_allocator = "jemalloc"
    exe = dist.to_python_executable(name = "old", packaging_policy = policy, config = config)
    exe.add_python_resources(exe.read_package_root(".", ["main"]))
    for resource in dist.source_modules():
        if resource.name == "colorsys":
            exe.add_python_resource(resource)
    return exe

register_target("exe", make_exe)
resolve_targets()
