# A client and a server of one package in one directory, with files beside them.

def make_policy(dist):
    policy = dist.make_python_packaging_policy()
    policy.extension_module_filter = "no-copyleft"
    policy.include_test = False
    return policy

def make_program(dist, name, module):
    config = dist.make_python_interpreter_config()
    config.run_module = module
    exe = dist.to_python_executable(name = name, packaging_policy = make_policy(dist), config = config)
    exe.add_python_resources(exe.read_package_root(CWD + "/src", ["chat"]))
    return exe

def make_dist():
    return default_python_distribution()

def make_client(dist):
    return make_program(dist, "client", "chat.client")

def make_server(dist):
    return make_program(dist, "server", "chat.server")

def make_install(client, server):
    files = FileManifest()
    files.add_python_resource("bin", client)
    files.add_python_resource("bin", server)
    files.add_manifest(glob(["share/**/*.txt"], strip_prefix = CWD))
    return files

register_target("dist", make_dist)
register_target("client", make_client, depends = ["dist"])
register_target("server", make_server, depends = ["dist"])
register_target("install", make_install, depends = ["client", "server"], default = True)
resolve_targets()
