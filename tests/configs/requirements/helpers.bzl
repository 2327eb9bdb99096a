def make_policy(dist):
    policy = dist.make_python_packaging_policy()
    policy.file_scanner_emit_files = False
    return policy

def without(resources, name):
    return [one for one in resources if one.name != name]
