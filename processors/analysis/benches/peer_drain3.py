#!/usr/bin/env python3
"""Lines a second of Drain3 (PyPI drain3) with the masks of its own example configuration, on one thread.

drain3.py FILE [LINES]: needs `pip install drain3`. Its figure is what `logs FILE --speed 5` is compared with.
"""

import sys
import time

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

MASKS = [
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
]


def main() -> None:
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    lines = lines[: int(sys.argv[2]) if len(sys.argv) > 2 else len(lines)]
    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in MASKS]
    miner = TemplateMiner(config=config)
    for line in lines[:2000]:
        miner.add_log_message(line)
    began = time.process_time()
    for line in lines:
        miner.add_log_message(line)
    seconds = time.process_time() - began
    print(f"{len(lines)} lines, {len(miner.drain.clusters)} templates, {len(lines) / seconds:.0f} lines a second")


main()
