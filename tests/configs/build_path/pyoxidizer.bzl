# Outputs elsewhere, targets that ask for each other, and a distribution that is named exactly.

set_build_path(CWD + "/out")

def make_dist():
    return default_python_distribution(flavor = "standalone", build_target = BUILD_TARGET_TRIPLE, python_version = "3.9")

def make_exe():
    dist = resolve_target("dist")
    config = dist.make_python_interpreter_config()
    config.run_command = "print('here')"
    config.multiprocessing_start_method = "spawn"
    return dist.to_python_executable(name = "app", config = config)

register_target("dist", make_dist)
register_target("exe", make_exe)

# The last one that says default=True.
register_target("other", make_exe, default = True)
register_target("last", make_exe, default = True)
resolve_targets()
