"""The program proper comes from outside: build this once, then put autoexec.pmm where the storage is.

frazil build examples/autoexec/main.py --pmm 'dir:{exe_dir}/modules' --pmm-unsigned -o device
frazil pmm compile examples/autoexec/autoexec.py -o modules/autoexec.pmm
./device
"""

import autoexec

autoexec.main()
