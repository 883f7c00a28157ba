"""The only package that imports Ansible: the code of plugins, and how ansible-playbook is run."""
