"""Refuses to run one of localloop's playbooks other than whole, as its ansible.cfg says.

A variable ``ANSIBLE_…`` of the caller wins over ansible.cfg, and options such as ``--tags`` leave
tasks out: a deploy would build and then stop, or two hosts would release at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible import constants, context

from ..errors import UsageError

_OPTIONS = {
    "tags": "--tags",
    "skip_tags": "--skip-tags",
    "start_at_task": "--start-at-task",
    "step": "--step",
    "become": "--become",
}
_NOTHING: dict[str, Any] = {"tags": ["all"]}
# Variables that do not change which tasks run, where, as whom, or in which order: what is shown,
# connections to other machines (ours are local), and Ansible's other commands.
_HARMLESS = re.compile(
    r"ANSIBLE_(COLOR_\w+|\w*COWS?(_\w+)?|DISPLAY_\w+|DIFF_\w+|\w+_WARNINGS?|LOG_\w+|VERBOS\w+"
    r"|FORCE_COLOR|NOCOLOR|MAX_DIFF_SIZE|DEBUG|STDOUT_CALLBACK|CALLBACKS_ENABLED|CALLBACK_PLUGINS"
    r"|LOAD_CALLBACK_PLUGINS|SHOW_CUSTOM_STATS|RETRY_FILES_\w+|EDITOR|PAGER|LOCALHOST_WARNING"
    r"|SSH_\w+|HOST_KEY_CHECKING|PRIVATE_KEY_FILE|REMOTE_\w+|TIMEOUT|TRANSPORT|PIPELINING"
    r"|PERSISTENT_\w+|NETCONF_\w+|NETWORK_\w+|CONNECTION_PATH|CONNECTION_PASSWORD_FILE|ASK_PASS"
    r"|BECOME_\w+|AGNOSTIC_BECOME_PROMPT|VAULT_\w+|ASK_VAULT_PASS|GALAXY_\w+|COLLECTIONS_\w+"
    r"|WIN_\w+|PYTHON_INTERPRETER|CLICONF_PLUGINS|HTTPAPI_PLUGINS|TERMINAL_PLUGINS"
    r"|LOOKUP_PLUGINS|DOC_FRAGMENT_PLUGINS|CACHE_PLUGINS?(_\w+)?|GATHERING|ANY_ERRORS_FATAL"
    r"|FORKS|HOME|LOCAL_TEMP|INVENTORY|INVENTORY_UNPARSED_\w+|INVENTORY_ANY_UNPARSED_IS_FAILED)"
)
_LINEAR = ("linear", "ansible.builtin.linear")


def require_whole_run(playbook: str) -> None:
    """Raise ``UsageError`` (``ansible_option``, ``ansible_variable``) if the run is another one.

    ``playbook`` is its file name, for the message.
    """
    for variable in _changed():
        raise UsageError(
            "ansible_variable",
            f"{variable} changes how {playbook} runs",
            hint=f"Run it without: env -u {variable} ansible-playbook …",
        )
    for option in _partial(context.CLIARGS):
        raise UsageError(
            "ansible_option",
            f"{playbook} runs whole: {option} would leave steps out or change who runs them",
            hint=f"Leave {option} out. For some components: --limit COMPONENT.",
        )
    strategy = str(constants.config.get_config_value("DEFAULT_STRATEGY"))
    if strategy not in _LINEAR:
        raise UsageError(
            "ansible_variable",
            f"the strategy {strategy} of {constants.CONFIG_FILE} changes how {playbook} runs",
            hint="export ANSIBLE_CONFIG=$(localloop content)/ansible.cfg",
        )


def require_project() -> None:
    """Raise ``UsageError`` (``ansible_variable``): the inventory of this run is not localloop's."""
    raise UsageError(
        "ansible_variable",
        "the inventory of this run names no project of localloop",
        hint="Unset ANSIBLE_INVENTORY, leave -i out, or name a localloop.yml with it.",
    )


def _partial(given: Mapping[str, Any]) -> Iterator[str]:
    """The options on the command line that make it another run."""
    for name, option in _OPTIONS.items():
        value = given.get(name)
        if value and list(value if isinstance(value, list | tuple) else [value]) != _NOTHING.get(
            name
        ):
            yield option


def _changed() -> Iterator[str]:
    """The environment's variables that change the run, as Ansible itself found them."""
    for setting in sorted(constants.config.get_configuration_definitions()):
        _, origin = constants.config.get_config_value_and_origin(setting)
        of_ansible = str(origin).startswith(("env: ANSIBLE_", "env: _ANSIBLE_"))
        variable = str(origin).removeprefix("env: ")
        if of_ansible and not _HARMLESS.fullmatch(variable):
            yield variable
