"""Filter ``image_reference``; documented in image_reference.yml."""

from localloop.ansible.filters import filter_module
from localloop.registry.image_names import image_reference

FilterModule = filter_module(image_reference)
