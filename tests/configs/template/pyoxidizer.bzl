# The shape that most projects have: one function for each stage, the last one the default, and installers for other
# systems that are defined and not built here.

def make_exe():
    dist = default_python_distribution()
    policy = dist.make_python_packaging_policy()
    policy.resources_location = "in-memory"
    policy.resources_location_fallback = "filesystem-relative:prefix"
    python_config = dist.make_python_interpreter_config()
    python_config.run_command = "import greeting; greeting.main()"
    exe = dist.to_python_executable(
        name = "greet",
        packaging_policy = policy,
        config = python_config,
    )
    exe.windows_runtime_dlls_mode = "always"
    exe.windows_subsystem = "console"
    exe.add_python_resources(exe.read_package_root(
        path = CWD,
        packages = ["greeting"],
    ))
    return exe

def make_embedded_resources(exe):
    return exe.to_embedded_resources()

def make_install(exe):
    files = FileManifest()
    files.add_python_resource(".", exe)
    return files

def make_msi(exe):
    return exe.to_wix_msi_builder("greet", "Greeting", "1.0", "Somebody")

def register_code_signers():
    if not VARS.get("ENABLE_CODE_SIGNING"):
        return
    signer = code_signer_from_pfx_file("signer.pfx", "secret")
    signer.activate()

register_code_signers()

register_target("exe", make_exe)
register_target("resources", make_embedded_resources, depends = ["exe"], default_build_script = True)
register_target("install", make_install, depends = ["exe"], default = True)
register_target("msi_installer", make_msi, depends = ["exe"])

resolve_targets()

PYOXIDIZER_VERSION = "0.10.3"
PYOXIDIZER_COMMIT = "UNKNOWN"
