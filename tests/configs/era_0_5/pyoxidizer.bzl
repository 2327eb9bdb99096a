# As it was written for 0.5 and 0.6: no policies, a constructor for the interpreter's settings, embedded data.

def make_dist():
    return default_python_distribution()

def make_exe(dist):
    python_config = PythonInterpreterConfig(
        bytes_warning = 1,
        ignore_environment = True,
        run_eval = "import main; main.run()",
        raw_allocator = "system",
        terminfo_resolution = "dynamic",
        unbuffered_stdio = True,
        verbose = 0,
    )
    exe = dist.to_python_executable(name = "old", config = python_config)
    for resource in dist.read_package_root(path = CWD, packages = ["main"]):
        exe.add_module_source(resource)
    return exe

def make_embedded_data(exe):
    return exe.to_embedded_data()

def make_install(exe):
    files = FileManifest()
    files.add_python_resource(".", exe)
    return files

register_target("dist", make_dist)
register_target("exe", make_exe, depends = ["dist"])
register_target("embedded", make_embedded_data, depends = ["exe"], default_build_script = True)
register_target("install", make_install, depends = ["exe"], default = True)
resolve_targets()
