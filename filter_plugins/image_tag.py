"""Filter ``image_tag``; documented in image_tag.yml."""

from localloop.ansible.filters import filter_module
from localloop.registry.image_names import image_tag

FilterModule = filter_module(image_tag)
