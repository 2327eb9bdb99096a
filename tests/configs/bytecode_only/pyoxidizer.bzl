# No sources, the highest optimization, and settings of the interpreter.

def make_exe():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.include_distribution_sources = False
    policy.include_non_distribution_sources = False
    policy.bytecode_optimize_level_zero = False
    policy.bytecode_optimize_level_two = True
    config = dist.make_python_interpreter_config()
    config.optimization_level = 2
    config.x_options = ["utf8", "own=1"]
    config.warn_options = ["error::ResourceWarning"]
    config.hash_seed = 11
    config.stdio_encoding = "latin-1"
    config.run_module = "quiet"
    exe = dist.to_python_executable(name = "quiet", packaging_policy = policy, config = config)
    exe.add_python_resources(exe.read_package_root(".", ["quiet"]))
    return exe

register_target("exe", make_exe)
resolve_targets()
