# Settings of the interpreter that programs can see.

def make_exe():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.allocator = "malloc"
    config.allocator_backend = "mimalloc"
    config.argvb = True
    config.buffered_stdio = False
    config.check_hash_pycs_mode = "never"
    config.development_mode = False
    config.fault_handler = True
    config.filesystem_encoding = "utf-8"
    config.filesystem_errors = "strict"
    config.install_signal_handlers = True
    config.multiprocessing_start_method = "forkserver"
    config.optimization_level = 1
    config.pycache_prefix = "/nowhere"
    config.site_import = True
    config.stdio_encoding = "ascii"
    config.stdio_errors = "backslashreplace"
    config.sys_meipass = True
    config.terminfo_resolution = "none"
    config.tracemalloc = True
    config.user_site_directory = False
    config.utf8_mode = True
    config.warn_options = ["ignore::DeprecationWarning", "error::BytesWarning"]
    config.write_bytecode = True
    config.run_module = "main"
    exe = dist.to_python_executable(name = "app", config = config)
    exe.add_python_resources(exe.read_package_root(CWD, ["main"]))
    return exe

register_target("exe", make_exe)
resolve_targets()
