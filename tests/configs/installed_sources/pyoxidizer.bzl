# The program's own modules stand as files in the installation; the executable has what they need.

def make_dist():
    return default_python_distribution()

def make_exe(dist):
    return dist.to_python_executable(
        name = "tool",
        config = PythonInterpreterConfig(
            run_eval = "from tool import main; main.run()",
            sys_paths = ["$ORIGIN/lib", "$ORIGIN/app"],
        ),
        extension_module_filter = "all",
        include_sources = True,
        include_resources = False,
        include_test = False,
    )

def make_install(dist, exe):
    files = FileManifest()
    files.add_python_resource(".", exe)
    files.add_python_resources("app", dist.read_package_root(path = ".", packages = ["tool"]))
    return files

register_target("dist", make_dist)
register_target("exe", make_exe, depends = ["dist"])
register_target("install", make_install, depends = ["dist", "exe"], default = True)
resolve_targets()
