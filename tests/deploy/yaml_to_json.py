"""Prints the one document of a YAML file as JSON: yaml_to_json.py FILE"""

import json
import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps(yaml.safe_load(file)))
