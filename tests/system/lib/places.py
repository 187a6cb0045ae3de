"""Where things are: the checkout, the install root, and what script/setup unpacked."""

import os
import pathlib

TOP = pathlib.Path(__file__).resolve().parents[3]
ROOT = pathlib.Path(os.environ.get("PB_ROOT", TOP / "build/root")).resolve()
PEERS = pathlib.Path(os.environ.get("PB_PEERS", TOP / "build/peers")).resolve()
