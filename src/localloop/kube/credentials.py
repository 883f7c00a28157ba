"""What a request proves itself with; what runs out is read or asked for again."""

from __future__ import annotations

import threading
import time

from ..errors import UsageError
from .kubeconfig import Credential, KubeConfig, read_token

# A credential that is about to run out would run out on its way.
_MARGIN_SECONDS = 5.0


class Credentials:
    """The credentials of a context. Threads may share them."""

    def __init__(self, config: KubeConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._current: Credential | None = None
        if config.plugin is None:
            self._current = Credential(config.token, config.client_cert, config.client_key)

    def current(self) -> Credential:
        """The credential to use now; an exec plugin is asked if there is none that is valid.

        Raises ``ApiUnreachable`` (``exec_plugin_failed``).
        """
        with self._lock:
            found = self._current
            if found is None or (found.until or time.time() + 60) < time.time() + _MARGIN_SECONDS:
                found = self._current = self._obtain()
            return found

    def renew(self, refused: Credential) -> bool:
        """Get another credential than one that the server refused; False if there is none.

        A token file that cannot be read any more has none. Raises what ``current`` raises.
        """
        with self._lock:
            if self._current is not refused:
                return True  # another thread has done so
            if self._config.plugin is None and self._config.token_file is None:
                return False
            try:
                self._current = self._obtain()
            except UsageError:
                return False
            return self._current != refused

    def _obtain(self) -> Credential:
        config = self._config
        if config.plugin is not None:
            from .exec_plugin import ask

            return ask(config.plugin, config)
        token = config.token
        if config.token_file is not None:
            token = read_token(config.token_file, config.context)
        return Credential(token, config.client_cert, config.client_key)
