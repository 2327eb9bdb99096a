import faulthandler
import multiprocessing
import os
import sys
import tracemalloc

if __name__ == "__main__":
    print(sys.flags.optimize, sys.flags.utf8_mode, sys.flags.dev_mode, sys.flags.no_site, sys.flags.isolated)
    print(faulthandler.is_enabled(), tracemalloc.is_tracing(), sys.dont_write_bytecode, sys.pycache_prefix)
    print(sys.stdout.encoding, sys.stdout.errors, sys.stdout.write_through, "\xe4")
    print(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), sys.warnoptions)
    print(sys._MEIPASS == os.path.dirname(sys.executable), sys.argvb[1:], "site" in sys.modules)
    print(multiprocessing.get_start_method(), multiprocessing.get_context().Pool(1).map(abs, [-1]))
