"""Static files that several versions of the portal share: one folder, in which names of other versions are found too.

While old and new processes run side by side, a page of one may ask the other
for its files. Names carry a hash of their content and are kept, so both are
right. Other names may be replaced meanwhile.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]
from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]

# Of our own modules: others import what the installation does not have.
_IMPORTS: Final = ("live/*.js", ((r"""(?P<matched>from\s*"(?P<url>\./.*?)"\s*;)""", 'from "%(url)s";'),))


class Hashed(ManifestStaticFilesStorage):
    """A module's imports are hashed too: a script is never given another version's half."""

    patterns = (*ManifestStaticFilesStorage.patterns, _IMPORTS)


class HashedCompressed(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    patterns = (*CompressedManifestStaticFilesStorage.patterns, _IMPORTS)


class SharedFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Looks in the folder for what it did not see at its start, and again for what may have been replaced since."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.directories = [(f"{str(settings.STATIC_ROOT).rstrip('/')}/", self.static_prefix)]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.startswith(self.static_prefix):
            answer: HttpResponseBase = self.get_response(request)
            return answer
        found = self.files.get(path)
        if found is None or not self.immutable_file_test("", path):
            # Its length was read when it was found: an older one would be cut, or promised too long.
            found = self.find_file(path)
        return self.serve(found, request) if found is not None else self.get_response(request)  # type: ignore[no-any-return]
