"""The one room that imports Ansible: plugins' code, and how we call ansible-playbook."""
