from __future__ import annotations

import unittest

from .. import health


class Health(unittest.TestCase):
    def test_it_names_the_commit_that_runs(self) -> None:
        self.assertEqual(health.report(), {"status": "ok", "commit": health.commit()})
