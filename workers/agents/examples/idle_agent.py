#!/usr/bin/env python3
"""An agent that claims DONE and has done nothing: what it says must be measured."""

from __future__ import annotations

import json
import os

fields = {"ticket": os.environ["SHIPROOM_TICKET"], "nonce": os.environ["SHIPROOM_NONCE"]}
print("Everything is already in place.", flush=True)
print(json.dumps({"mc_signal": "DONE", **fields, "payload": "all done, tests pass"}), flush=True)
