# Files as files: no classification, everything beside the executable.

def make_exe():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.set_resource_handling_mode("files")
    policy.resources_location = "filesystem-relative:lib"
    config = dist.make_python_interpreter_config()
    config.module_search_paths = ["$ORIGIN/lib", "$ORIGIN/more"]
    config.oxidized_importer = False
    config.filesystem_importer = True
    config.sys_meipass = True
    config.run_command = "import sys, shelf.book; print(shelf.book.text(), [p.replace(sys._MEIPASS, '.') for p in sys.path][-2:])"
    exe = dist.to_python_executable(name = "files", packaging_policy = policy, config = config)
    resources = exe.read_package_root("src", ["shelf"])
    print([(type(r), r.path, r.is_executable) for r in resources if not r.path.endswith(".py")])
    exe.add_python_resources(resources)
    return exe

register_target("exe", make_exe)
resolve_targets()
