# What --var says decides the name, what runs and what is included.

FLAVOUR = VARS.get("FLAVOUR", "plain")
NAME = "app-%s" % FLAVOUR if FLAVOUR != "plain" else "app"

def make_exe():
    dist = default_python_distribution()
    config = dist.make_python_interpreter_config()
    config.run_command = "import settings; print(settings.FLAVOUR, settings.TOKEN)"
    exe = dist.to_python_executable(name = NAME, config = config)
    source = "FLAVOUR = {!r}\nTOKEN = {}\n".format(FLAVOUR, repr(VARS.get("TOKEN")))
    exe.add_python_resource(exe.make_python_module_source("settings", source))
    if FLAVOUR == "rich":
        print("building", NAME, "for", BUILD_TARGET_TRIPLE)
    return exe

register_target("exe", make_exe)
resolve_targets()
