# A manifest of an executable, generated files, patterns and single files, installed into a directory of its own.

def make_exe():
    dist = default_python_distribution(flavor = "standalone_dynamic")
    config = dist.make_python_interpreter_config()
    config.run_filename = "$ORIGIN/scripts/start.py"
    return dist.to_python_executable(name = "run", config = config)

def make_install(exe):
    manifest = FileManifest()
    manifest.add_manifest(exe.to_file_manifest("."))
    manifest.add_manifest(glob(["files/*.py"], exclude = ["files/skipped.py"], strip_prefix = "files"))
    script = manifest.get_file("start.py")
    manifest.remove("start.py")
    manifest.add_file(script, directory = "scripts")
    manifest.add_file(FileContent(filename = "notes.txt", content = "from " + CONFIG_PATH.split("/")[-1]))
    manifest.add_path(CWD + "/files/data/x.bin", strip_prefix = CWD + "/files/")
    print(sorted(manifest.paths()))
    return manifest

register_target("exe", make_exe)
register_target("install", make_install, depends = ["exe"], default = True)
resolve_targets()
