"""Filter ``stored_record``; documented in stored_record.yml."""

from localloop.ansible.filters import filter_module
from localloop.record.model import stored_record

FilterModule = filter_module(stored_record)
