"""Lay out the files of a commit in DEPLOY_FOLDER/releases/<commit>; with --probe: are they there?"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path


def main() -> int:
    commit, folder = os.environ["SHIPROOM_COMMIT"], Path(os.environ["DEPLOY_FOLDER"])
    release = folder / "releases" / commit
    if "--probe" in sys.argv:
        return 0 if release.is_dir() else 1
    if release.is_dir():
        print(f"{commit[:9]} is built already.")
        return 0
    argv = ["git", "-C", os.environ["SHIPROOM_REPOSITORY"], "archive", "--format=zip", commit]
    packed = subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout
    # Under another name until it is whole: what has the name of the commit can be run.
    half = release.with_name(f".{commit}-{os.getpid()}")
    half.mkdir(parents=True)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(half)
            files = len(archive.namelist())
        (half / "COMMIT").write_text(f"{commit}\n", encoding="ascii")
        half.rename(release)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    print(f"Built {commit[:9]}: {files} files and folders in {release}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
