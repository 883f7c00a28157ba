"""Action plugins: a step runs inside the Ansible worker instead of as a module.

A module takes half a second to unpack and compile, an action plugin a fiftieth of that. Each plugin
in ``action_plugins/`` is one call of ``step_action``. The module of the same name in ``library/``
works without it, and is used for tasks that cannot run in the worker (become, other hosts).
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..events import progress_line
from .calls import call_step, plain
from .interrupts import StepInterrupts

_AUTOMATIC = ("", "auto", "auto_silent", "auto_legacy", "auto_legacy_silent")
_INTERRUPTS = StepInterrupts()  # one per process: a worker runs one task


class StepAction(ActionBase):
    """The action plugin of one step; ``step_action`` creates its subclasses."""

    step: ClassVar[ModuleType]
    step_name: ClassVar[str]

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        if not self._belongs_in_worker(task_vars):
            return {**result, **self._execute_module(task_vars=task_vars)}
        return {**result, **self._run_step()}

    def _belongs_in_worker(self, task_vars: dict[str, Any]) -> bool:
        if self._connection.transport != "local" or self._connection.become is not None:
            return False
        if any(self._task.environment or ()):
            return False
        wanted = task_vars.get("ansible_python_interpreter")
        if wanted is None:
            wanted = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        return _is_ours(str(self._templar.template(wanted)))

    def _run_step(self) -> dict[str, Any]:
        arguments = plain(self._task.args)
        validated = ArgumentSpecValidator(self.step.ARGUMENT_SPEC).validate(arguments)
        secrets = validated._no_log_values

        def mask(value: Any) -> Any:
            return remove_values(value, secrets) if secrets else value

        if validated.error_messages:
            return {"failed": True, "changed": False, "msg": mask(self._argument_error(validated))}
        try:
            with _INTERRUPTS.unwinding():
                result = call_step(
                    self.step_name,
                    self.step.run,
                    plain(validated.validated_parameters),
                    check=bool(self._task.check_mode),
                    diff=bool(self._task.diff),
                    environ=os.environ,
                    on_event=_show,
                    mask=mask,
                )
        except Exception as error:
            # A bug: its text and traceback may quote arguments, so they are masked by value.
            text = "".join(traceback.format_exception(error))
            raise AnsibleError(mask(f"{self.step_name} failed unexpectedly:\n{text}")) from None
        if Display().verbosity >= 3:
            result["invocation"] = {"module_args": mask(arguments)}
        return result

    def _argument_error(self, validated: Any) -> str:
        message = str(validated.errors.msg)
        if isinstance(validated.errors[0], UnsupportedError):
            return f"Unsupported parameters for ({self.step_name}) module: {message}"
        return message


def step_action(name: str) -> type[StepAction]:
    """The ``ActionModule`` of the step ``localloop.steps.NAME``."""
    step = import_module(f"..steps.{name}", __package__)
    return type("ActionModule", (StepAction,), {"step": step, "step_name": name})


def _is_ours(interpreter: str) -> bool:
    """Whether this is the Python that runs Ansible, by any of its names in its environment."""
    if interpreter in _AUTOMATIC or interpreter == sys.executable:
        return True
    # Resolving the whole path would confuse a virtual environment with the Python it is made from.
    theirs, ours = Path(interpreter), Path(sys.executable)
    return theirs.parent.resolve() == ours.parent.resolve() and theirs.resolve() == ours.resolve()


def _show(event: dict[str, Any]) -> None:
    if event.get("event") == "progress" and (line := progress_line(event)):
        with _INTERRUPTS.sending():
            Display().display(line)  # a worker sends it to the main process, in order
