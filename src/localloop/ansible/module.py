"""The ``main()`` of every module in ``library/``.

Modules import this file as ``ansible.module_utils.localloop.ansible.module``: ansible.cfg names
``src`` as a directory of module utilities, so the payload contains the part of this package that
the module imports.
"""

from __future__ import annotations

from types import ModuleType

from ansible.module_utils.basic import AnsibleModule

from .calls import call_step, plain


def run_module(step: ModuleType) -> None:
    """Run the step as the module that Ansible started; exits the process."""
    module = AnsibleModule(argument_spec=step.ARGUMENT_SPEC, supports_check_mode=True)
    result = call_step(
        step.__name__.rpartition(".")[2],
        step.run,
        plain(module.params),
        check=module.check_mode,
        diff=module._diff,
    )
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
